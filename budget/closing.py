"""Tells the store how calls ended, and remembers, bounded, what it could not be told.

What is lost with this process, or beyond the bound, expires in the store: as spent, at the worst
case, for its call was dispatched.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

import structlog

from budget.errors import StoreArgumentError, StoreUnavailableError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.reservations import Settled
from budget.scopes import MAX_LIMIT_NANO_USD
from budget.store import Store
from metering.money import NanoUsd

log = structlog.get_logger(__name__)

MAX_UNTOLD: Final = 10_000


@dataclass(frozen=True, slots=True)
class End:
    """How a reservation ended.

    Attributes:
        reservation_id: Which one.
        cost: What its call cost; None gives everything back.
        is_estimated: The cost is an upper bound.
    """

    reservation_id: str
    cost: NanoUsd | None
    is_estimated: bool = False

    @classmethod
    def charged(cls, reservation_id: str, cost: NanoUsd, *, is_estimated: bool) -> "End":
        """Build the end of a call that cost something, at most what the store can count."""
        if cost <= MAX_LIMIT_NANO_USD:
            return cls(reservation_id, cost, is_estimated)
        log.error("cost_beyond_the_store", reservation_id=reservation_id, nano_usd=cost)
        return cls(reservation_id, NanoUsd(MAX_LIMIT_NANO_USD), is_estimated=True)


class Closer:
    """Closes reservations."""

    def __init__(self, store: Store, gate: Gate, metrics: Metrics) -> None:
        self._store = store
        self._gate = gate
        self._metrics = metrics
        self._untold: deque[End] = deque()

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
            self.close_later(end)
            raise

    def close_later(self, end: End) -> None:
        """Tell the store when it is back; needs no running store, loses the oldest when full."""
        if len(self._untold) >= MAX_UNTOLD:
            log.error("end_forgotten", reservation_id=self._untold.popleft().reservation_id)
        self._untold.append(end)
        if self._gate.reason is None:
            self._gate.close(StoreUnavailableError("it has yet to hear how some calls ended"))

    async def tell_untold(self) -> None:
        """Tell everything that is owed, oldest first; drop what the store can't take.

        Raises:
            StoreUnavailableError: The store is away again; what is left is kept.
        """
        while self._untold:
            end = self._untold.popleft()
            try:
                await self._tell(end)
            except StoreArgumentError as error:
                _give_up(end, error)
            except BaseException:
                self._untold.appendleft(end)
                raise

    async def _tell(self, end: End) -> Settled | None:
        if end.cost is None:
            await self._store.release(end.reservation_id)
            return None
        settled = await self._store.settle(
            end.reservation_id, end.cost, is_estimated=end.is_estimated
        )
        if settled is None:
            log.warning("settled_before", reservation_id=end.reservation_id)
        else:
            self._note(end, settled)
        return settled

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
