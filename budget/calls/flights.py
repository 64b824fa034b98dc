"""Calls with an idempotency key that are under way in this gateway, and who waits for their end."""

import asyncio
import contextlib
from typing import Final

from budget.reservations import Reservation

POLL_S: Final = (0.05, 0.5)
"""How long to wait for a call of another gateway between two questions: first, and at most."""


class Flights:
    """Which reservations with an idempotency key are under way here."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.Event] = {}

    def begin(self, reservation: Reservation) -> None:
        """Say that a call is under way."""
        if reservation.claim is not None:
            self._ends[reservation.id] = asyncio.Event()

    def end(self, reservation: Reservation) -> None:
        """Say that it has ended; whoever waits asks the store what came of it."""
        if end := self._ends.pop(reservation.id, None):
            end.set()

    async def wait(self, reservation_id: str, timeout_s: float, times: int) -> None:
        """Wait until a call may have ended: one of ours has, one of others is worth asking for."""
        end = self._ends.get(reservation_id)
        if end is None:
            first, most = POLL_S
            await asyncio.sleep(min(timeout_s, most, first * 2 ** min(times, 10)))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await end.wait()
