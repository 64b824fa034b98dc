"""What waits to be sent on a stream: what has come by the time of a write goes in one message.

A lone item goes at once. After a message of several the next one waits a moment for more: a message
costs about as much as ten items do.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_MOST_ITEMS = 256
# A message is closed once it holds so much; a single item may be larger.
_ENOUGH_BYTES = 1 << 20
_SEVERAL = 3
_PAUSE_S = 0.002


class Outbox(Generic[_Item]):
    """A queue that is taken in batches; whoever puts into it bounds it."""

    def __init__(self) -> None:
        self._items: deque[tuple[_Item, int]] = deque()
        self._unsent = 0
        self._closed = False
        self._last_count = 0
        self._news = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()

    def put(self, item: _Item, size_bytes: int = 0) -> None:
        """Add an item; `size_bytes` is about what it adds to a message."""
        self._items.append((item, size_bytes))
        self._unsent += 1
        self._all_sent.clear()
        self._news.set()

    def close(self) -> None:
        """Let `take` return nothing once all is taken."""
        self._closed = True
        self._news.set()

    async def take(self) -> list[_Item]:
        """Wait for items, and return those of one message; nothing at the end."""
        if self._last_count >= _SEVERAL and not self._closed:
            await asyncio.sleep(_PAUSE_S)
        while not self._items:
            if self._closed:
                return []
            self._news.clear()
            await self._news.wait()
        batch = self._next()
        self._last_count = len(batch)
        return batch

    def sent(self, count: int) -> None:
        """Note that so many taken items have been sent."""
        self._unsent -= count
        if not self._unsent:
            self._all_sent.set()

    async def all_sent(self) -> None:
        """Wait until nothing is unsent."""
        await self._all_sent.wait()

    def _next(self) -> list[_Item]:
        batch: list[_Item] = []
        size_bytes = 0
        while self._items and len(batch) < _MOST_ITEMS:
            if batch and size_bytes + self._items[0][1] > _ENOUGH_BYTES:
                break
            item, item_bytes = self._items.popleft()
            batch.append(item)
            size_bytes += item_bytes
        return batch
