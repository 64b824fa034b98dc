"""What may happen to a call on its way, without the way knowing of it: faults, limits, slots.

A `Source` looks at a call and gives it effects. They take hold in the order in which they come: an
effect is made only after those before it have let the call pass, so that one which ends a call
uses up no later one. Every hook does nothing unless an effect says otherwise.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from fake_llm.asgi import Client, ClientGoneError, Wire
from fake_llm.pace.timing import Timing
from fake_llm.visit import Visit

FAULT_HEADER: Final = "X-Fake-Fault"
"""A request's own faults, and in an answer the fault that it is."""


class Effect:
    """What one fault, limit or slot does to one call.

    Attributes:
        fault: The kind of the fault that it is; empty when it is none.
    """

    fault: str = ""

    async def before(self, client: Client) -> None:
        """Hold the call before it is answered, or end it.

        Wait with `client.goes_within`, which returns at once when the client goes away.

        Raises:
            ApiError: This is the answer; nothing is charged.
        """

    def timing(self, timing: Timing) -> Timing:
        """Return when the answer's tokens are there."""
        return timing

    def keep(self, tokens: int) -> int:
        """Return how many tokens of an answer go out; fewer than all: it is cut there.

        A stream ends after them with `Wire.cut`, and is charged for them. A plain answer goes out
        whole and is charged in full; what cuts it short is `wire`.
        """
        return tokens

    def wire(self, wire: Wire) -> Wire:
        """Return the way out of the answer, such as a `WrappedWire` that changes its bytes."""
        return wire

    def after(self) -> None:
        """Let go of what `before` took; called once, and only when `before` has returned."""


class Source(Protocol):
    """Where effects come from."""

    def effects(self, visit: Visit) -> Iterable[Effect]:
        """Return what is to happen to a call: nothing, at no cost, or a generator of effects.

        The next effect is asked for once the one before it has taken hold. Until it is asked for
        the first one, a generator has neither counted nor drawn anything.

        Raises:
            ApiError: The call is refused, by the generator.
        """


class Effects:
    """The effects on one call, in the order in which they took hold."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: list[Effect] = []

    async def enter(self, found: Sequence[Iterable[Effect]], visit: Visit, client: Client) -> None:
        """Let everything that was found take hold.

        Raises:
            ApiError: One ends the call.
            ClientGoneError: The client did not wait for it.
        """
        for effects in found:
            for effect in effects:
                if effect.fault:
                    visit.faults += (effect.fault,)
                await effect.before(client)
                self._entered.append(effect)
                if client.is_gone:
                    raise ClientGoneError

    def timing(self, timing: Timing) -> Timing:
        """Return the timing that all of them make."""
        for effect in self._entered:
            timing = effect.timing(timing)
        return timing

    def keep(self, tokens: int) -> int:
        """Return the fewest tokens that any of them lets out, from 0 to all."""
        kept = tokens
        for effect in self._entered:
            kept = min(kept, max(0, effect.keep(tokens)))
        return kept

    def wire(self, wire: Wire) -> Wire:
        """Return the wire that all of them make."""
        for effect in self._entered:
            wire = effect.wire(wire)
        return wire

    def leave(self) -> None:
        """Let go of what was taken, the last first."""
        while self._entered:
            self._entered.pop().after()
