"""The faults that are set: which of them strike a call, drawn and counted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fake_llm.draws import Draw, Draws
from fake_llm.effects import FAULT_HEADER, Effect
from fake_llm.errors import BadFaultError, BadRequestError
from fake_llm.faults.base import Fault
from fake_llm.faults.reading import read_header
from fake_llm.visit import Visit


@dataclass(slots=True)
class Armed:
    """A fault that was set.

    Attributes:
        fault: Its attributes.
        hits: How many calls it struck.
    """

    fault: Fault
    hits: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it has struck as often as it was to."""
        return self.fault.times is not None and self.hits >= self.fault.times


class FaultBoard:
    """The source of the faults' effects: first those of the header, then those that are set.

    Which calls are struck is a function of the seed, the request and how often it has come since
    the faults were set, never of what runs beside it; only `times` counts calls as they come.

    Args:
        seed: Decides all draws.
        kinds: What may be set.
    """

    def __init__(self, seed: int, kinds: Mapping[str, type[Fault]]) -> None:
        self.kinds = kinds
        self._seed = seed
        self._draws = Draws(seed)
        self._armed: tuple[Armed, ...] = ()

    @property
    def armed(self) -> Sequence[Armed]:
        """The faults in the order in which they strike, those that are over too."""
        return self._armed

    def set(self, faults: Iterable[Fault]) -> None:
        """Set faults in place of all that were; hits and draws begin again."""
        self._armed = tuple(Armed(fault) for fault in faults)
        self._draws = Draws(self._seed)

    def effects(self, visit: Visit) -> Iterable[Effect]:
        """Yield what strikes a call.

        Raises:
            BadRequestError: The header can't be read.
        """
        if visit.fault_header is None and not self._armed:
            return ()
        return self._effects(visit)

    def _effects(self, visit: Visit) -> Iterator[Effect]:
        draw = self._draws.next(visit.body_hash)
        for number, fault in enumerate(self._from_header(visit)):
            if _strikes(fault, draw, f"header {number}"):
                yield fault.strike(visit, draw)
        for number, armed in enumerate(self._armed):
            if armed.is_over or not armed.fault.concerns(visit):
                continue
            if _strikes(armed.fault, draw, f"set {number}"):
                armed.hits += 1
                yield armed.fault.strike(visit, draw)

    def _from_header(self, visit: Visit) -> list[Fault]:
        if visit.fault_header is None:
            return []
        try:
            return read_header(visit.fault_header.decode("latin-1"), self.kinds)
        except BadFaultError as error:
            raise BadRequestError(f"The header {FAULT_HEADER} can't be read: {error}") from None


def _strikes(fault: Fault, draw: Draw, name: str) -> bool:
    return fault.probability >= 1 or draw.uniform(name) < fault.probability
