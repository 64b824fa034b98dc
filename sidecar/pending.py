"""What waits for an answer that names a key alone."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


class Pending(Generic[_Key, _Answer]):
    """Items that wait for their answer, oldest first for each key; the newest is answered first.

    In Dapr a newer item takes the older one's place, which then waits for ever.
    """

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[asyncio.Future[_Answer]]] = {}

    def add(self, key: _Key) -> asyncio.Future[_Answer]:
        """Return the future answer to one more item."""
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        return future

    def remove(self, key: _Key, future: asyncio.Future[_Answer]) -> None:
        """Wait for it no longer."""
        waiting = self._waiting.get(key)
        if waiting is not None and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[key]

    def answer(self, key: _Key, answer: _Answer) -> bool:
        """Answer one; false when none waits under that key."""
        for future in reversed(self._waiting.get(key, ())):
            if not future.done():
                future.set_result(answer)
                self.remove(key, future)
                return True
        return False
