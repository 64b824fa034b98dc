"""The budget in Redis, with a journal: what is reserved is on this machine's disk too."""

from typing import Any

from budget.errors import StoreLostError
from budget.recovery import entries
from budget.recovery.journal import Journal
from budget.recovery.recovery import Recovery
from budget.reservations import (
    Admission,
    Allowed,
    Expired,
    HoldState,
    Recorded,
    Reservation,
    Settled,
)
from budget.store import library
from budget.store.link import RedisLink
from budget.store.store import Store
from metering.money import NanoUsd


class JournaledStore(Store):
    """Reservations in Redis and in a journal.

    A reservation is on disk when it is answered; how it ended follows with the next write. It
    opens a ledger only once it is whole, and rebuilds it where it is not.

    Args:
        link: The connection.
        journal: This gateway's.
        recovery: Compares the ledger.
        more: As of `Store`.
    """

    def __init__(self, link: RedisLink, journal: Journal, recovery: Recovery, **more: Any) -> None:
        super().__init__(link, **more)
        self._journal = journal
        self._recovery = recovery
        self._epoch, self._seq = journal.memory.epoch, journal.memory.coverage.last

    @property
    def last(self) -> int:
        """The greatest ledger entry that this gateway knows of."""
        return self._seq

    async def load(self) -> None:
        """Load the functions; return once the ledger is whole.

        Raises:
            RecoveringError: It is not; to be tried again.
            StoreUnavailableError: No answer.
        """
        await library.load_library(self._link)
        known = await self._recovery.settle(self._seq)
        self._epoch, self._seq = known.epoch, known.seq
        await super().load()

    async def open(self) -> bool:
        """Recognise the ledger, or begin one; the journal's next entries are of it."""
        is_lost = await super().open()
        if self._epoch != self._journal.memory.epoch:
            await self._journal.change_ledger(self._epoch, continues=False)
        return is_lost

    async def reserve(self, reservation: Reservation) -> Admission:
        """Hold the amount in every scope or in none, and have it on disk."""
        admission = await super().reserve(reservation)
        return await self._journaled(reservation, admission, HoldState.RESERVED)

    async def reserve_and_dispatch(self, reservation: Reservation) -> Admission:
        """Hold the amount as dispatched, and have that on disk."""
        admission = await super().reserve_and_dispatch(reservation)
        return await self._journaled(reservation, admission, HoldState.DISPATCHED)

    async def dispatch(self, reservation_id: str) -> Recorded | None:
        """Mark a reservation as about to be written upstream, and have that on disk."""
        recorded = await super().dispatch(reservation_id)
        if recorded is not None:
            await self._journal.write([entries.of_recorded("dispatch", reservation_id, recorded)])
        return recorded

    async def settle(
        self, reservation_id: str, cost_nano_usd: NanoUsd, *, is_estimated: bool = False
    ) -> Settled | None:
        """Turn a hold into what the call cost."""
        settled = await super().settle(reservation_id, cost_nano_usd, is_estimated=is_estimated)
        if settled is not None:
            self._journal.note(
                entries.of_settlement(
                    reservation_id, cost_nano_usd, settled, is_estimated=is_estimated
                )
            )
        return settled

    async def release(self, reservation_id: str) -> Recorded | None:
        """Give back a hold whose call cost nothing."""
        recorded = await super().release(reservation_id)
        if recorded is not None:
            self._journal.note(entries.of_recorded("release", reservation_id, recorded))
        return recorded

    async def expire(self, most: int = 500, *, grace_ms: int = 0) -> tuple[Expired, ...]:
        """Close holds that are past their time."""
        expired = await super().expire(most, grace_ms=grace_ms)
        for each in expired:
            self._journal.note(entries.of_expiry(each))
        return expired

    async def _journaled(
        self, reservation: Reservation, admission: Admission, state: HoldState
    ) -> Admission:
        if isinstance(admission, Allowed):
            await self._journal.write([entries.of_admission(reservation, admission, state)])
        return admission

    def _lost(self, epoch: str, seq: str) -> StoreLostError:
        """Build the error; it is not for good, for the ledger is rebuilt."""
        return StoreLostError(
            f"recovering: Redis held ledger {epoch or '(none)'} at entry {seq}, but this gateway "
            f"knows ledger {self._epoch} at entry {self._seq}"
        )
