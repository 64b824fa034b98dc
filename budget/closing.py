"""Tells the store how calls ended, and remembers, bounded, what it could not be told.

What is lost with this process, or beyond the bound, expires in the store: as spent, at the worst
case, for its call was dispatched.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

import structlog

from budget.answers import StoredAnswer
from budget.claims import Claim
from budget.errors import StoreArgumentError, StoreUnavailableError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.reservations import Settled
from budget.scopes import MAX_LIMIT_NANO_USD
from budget.store.store import Store
from metering.money import NanoUsd

log = structlog.get_logger(__name__)

MAX_UNTOLD: Final = 10_000
MAX_UNTOLD_ANSWER_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is to be stored for its idempotency key."""

    claim: Claim
    answer: StoredAnswer


@dataclass(frozen=True, slots=True)
class End:
    """How a reservation ended.

    Attributes:
        reservation_id: Which one.
        cost: What its call cost; None gives everything back.
        is_estimated: The cost is an upper bound.
        kept: What is stored for the next call with its idempotency key.
    """

    reservation_id: str
    cost: NanoUsd | None
    is_estimated: bool = False
    kept: Kept | None = None

    @classmethod
    def charged(
        cls, reservation_id: str, cost: NanoUsd, *, is_estimated: bool, kept: Kept | None = None
    ) -> "End":
        """Build the end of a call that cost something, at most what the store can count."""
        if cost <= MAX_LIMIT_NANO_USD:
            return cls(reservation_id, cost, is_estimated, kept)
        log.error("cost_beyond_the_store", reservation_id=reservation_id, nano_usd=cost)
        return cls(reservation_id, NanoUsd(MAX_LIMIT_NANO_USD), is_estimated=True, kept=kept)

    @property
    def answer_bytes(self) -> int:
        """How much of an answer it holds."""
        return 0 if self.kept is None else self.kept.answer.size


class Closer:
    """Closes reservations."""

    def __init__(self, store: Store, gate: Gate, metrics: Metrics) -> None:
        self._store = store
        self._gate = gate
        self._metrics = metrics
        self._untold: deque[End] = deque()
        self._untold_answer_bytes = 0
        self._telling = asyncio.Lock()
        self._teller: asyncio.Task[None] | None = None

    @property
    def untold(self) -> int:
        """How many ends the store has not heard of."""
        return len(self._untold)

    async def close(self, end: End) -> Settled | None:
        """Tell the store now, or as soon as it is back; None when it can't say what is left."""
        try:
            self._gate.check()
            return await self._tell(end)
        except StoreArgumentError as error:
            _give_up(end, error)
            return None
        except StoreUnavailableError as error:
            self._gate.close(error)
            self.close_later(end)
            return None
        except asyncio.CancelledError:
            self.close_soon(end)
            raise

    def close_soon(self, end: End) -> None:
        """Tell the store in the background: for who can't wait, though nothing is wrong with it.

        While the store is away it is told when it is back.
        """
        self._remember(end)
        if self._gate.reason is None and (self._teller is None or self._teller.done()):
            self._teller = asyncio.create_task(self._tell_soon(), name="teller")

    def close_later(self, end: End) -> None:
        """Tell the store when it is back: it did not answer, so no call passes until then."""
        self._remember(end)
        if self._gate.reason is None:
            self._gate.close(StoreUnavailableError("it has yet to hear how some calls ended"))

    def _remember(self, end: End) -> None:
        """Keep what is owed; lose the oldest when there is too much.

        Beyond MAX_UNTOLD_ANSWER_BYTES an answer is dropped, and its call will be made again.
        """
        if len(self._untold) >= MAX_UNTOLD:
            log.error("end_forgotten", reservation_id=self._take_untold().reservation_id)
        if self._untold_answer_bytes + end.answer_bytes > MAX_UNTOLD_ANSWER_BYTES:
            log.warning("answer_forgotten", reservation_id=end.reservation_id)
            end = replace(end, kept=None)
        self._untold.append(end)
        self._untold_answer_bytes += end.answer_bytes

    async def _tell_soon(self) -> None:
        try:
            await self.tell_untold()
        except Exception as error:  # noqa: BLE001  # whatever it was, the keeper tells them again
            self._gate.close(error)

    async def tell_untold(self) -> None:
        """Tell everything that is owed, oldest first; drop what the store can't take.

        On return nothing is owed, until the next turn of the loop.

        Raises:
            StoreUnavailableError: The store is away again; what is left is kept.
        """
        async with self._telling:
            while self._untold:
                await self._tell_oldest()

    async def _tell_oldest(self) -> None:
        end = self._take_untold()
        try:
            await self._tell(end)
        except StoreArgumentError as error:
            _give_up(end, error)
        except BaseException:
            self._untold.appendleft(end)
            self._untold_answer_bytes += end.answer_bytes
            raise

    def _take_untold(self) -> End:
        end = self._untold.popleft()
        self._untold_answer_bytes -= end.answer_bytes
        return end

    async def _tell(self, end: End) -> Settled | None:
        if end.cost is None:
            await self._store.release(end.reservation_id)
            return None
        settled = await self._settle(end, end.cost)
        if settled is None:
            log.warning("settled_before", reservation_id=end.reservation_id)
        else:
            self._note(end, settled)
        return settled

    async def _settle(self, end: End, cost: NanoUsd) -> Settled | None:
        if end.kept is None:
            return await self._store.settle(end.reservation_id, cost, is_estimated=end.is_estimated)
        return await self._store.keep_and_settle(
            end.reservation_id,
            cost,
            end.kept.claim,
            end.kept.answer,
            is_estimated=end.is_estimated,
        )

    def _note(self, end: End, settled: Settled) -> None:
        if end.is_estimated:
            self._metrics.estimated.inc()
        if settled.overshoot_nano_usd:
            self._metrics.overshoot.inc(settled.overshoot_nano_usd)
            log.error(
                "overshoot",
                reservation_id=end.reservation_id,
                nano_usd=settled.overshoot_nano_usd,
            )


def _give_up(end: End, error: StoreArgumentError) -> None:
    """Leave a hold to its expiry: told again, its end would be refused again."""
    log.error("end_refused", reservation_id=end.reservation_id, reason=str(error))
