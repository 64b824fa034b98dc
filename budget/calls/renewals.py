"""Streams under way in this gateway: their holds live on, however long their clients take."""

import asyncio
import time
from typing import Final

from budget.store.store import Store

RENEW_EVERY_S: Final = 5.0
EXPIRY_GRACE_MS: Final = 3_000
"""How much longer a hold lives that is found past its time: whose call goes on can say so, though
the store was away when it was due."""


class Renewals:
    """Which holds are to be renewed.

    Args:
        store: Where they are.
        hold_ms: How long a hold lives from its renewal.
    """

    def __init__(self, store: Store, hold_ms: int) -> None:
        self._store = store
        self._hold_ms = hold_ms
        self._every_s = min(RENEW_EVERY_S, hold_ms / 4_000)
        self._due_s: dict[str, float] = {}

    def begin(self, reservation_id: str) -> None:
        """Renew a hold from now on."""
        self._due_s[reservation_id] = time.monotonic() + self._every_s

    def end(self, reservation_id: str) -> None:
        """Let a hold be; harmless when it was none of these."""
        self._due_s.pop(reservation_id, None)

    async def renew(self, *, is_late: bool = False) -> None:
        """Renew what is due; all of them when it is late, because the store was away.

        Raises:
            StoreUnavailableError: Some were not renewed; they stay due.
        """
        now_s = time.monotonic()
        due = [each for each, due_s in self._due_s.items() if is_late or due_s <= now_s]
        await asyncio.gather(*(self._renew(each) for each in due))

    async def _renew(self, reservation_id: str) -> None:
        await self._store.extend(reservation_id, self._hold_ms)
        if reservation_id in self._due_s:
            self.begin(reservation_id)
