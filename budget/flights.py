"""Calls with an idempotency key that are under way in this gateway, and who waits for their end."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

POLL_S: Final = (0.05, 0.5)
"""How long to wait for a call of another gateway between two questions: first, and at most."""


class Flights:
    """Which reservations are under way here."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.Event] = {}

    @contextmanager
    def under_way(self, reservation_id: str) -> Iterator[None]:
        """Say that a call is under way until the block ends."""
        end = self._ends[reservation_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._ends[reservation_id]
            end.set()

    async def wait(self, reservation_id: str, timeout_s: float, times: int) -> None:
        """Wait until a call may have ended: one of ours has, one of others is worth asking for."""
        end = self._ends.get(reservation_id)
        first, most = POLL_S
        if end is None:
            await asyncio.sleep(min(timeout_s, most, first * 2 ** min(times, 10)))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await end.wait()
