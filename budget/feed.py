"""A bounded feed: the newest items, numbered without gaps, read by cursor.

Numbers only grow, also over a restart of the process: they begin at the start time.
"""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items with their numbers, the cursor to go on with, and how many were lost before them."""

    items: tuple[tuple[int, Item], ...]
    next: int
    dropped: int


def first_number(started_unix_ms: int) -> int:
    """Return the first number of a process, above all numbers of an earlier process."""
    return started_unix_ms * 1000 + 1


class Feed(Generic[Item]):
    """Keeps the last `limit` items.

    Args:
        limit: How many are kept.
        first: Number of the first item.
    """

    def __init__(self, limit: int, *, first: int) -> None:
        self._items: deque[Item] = deque(maxlen=limit)
        self._before = first - 1
        self._newest = first - 1

    def append(self, item: Item) -> None:
        """Add an item; the oldest leaves when the feed is full."""
        self._newest += 1
        self._items.append(item)

    def read(self, after: int, limit: int) -> Page[Item]:
        """Return up to `limit` items numbered above `after`; 0 is the beginning.

        What an earlier process numbered is not counted as dropped: nobody knows how much it was.
        """
        oldest = self._newest - len(self._items) + 1
        after = max(self._before, min(after, self._newest))
        first = max(after + 1, oldest)
        found = islice(self._items, first - oldest, first - oldest + limit)
        items = tuple(enumerate(found, start=first))
        return Page(items, items[-1][0] if items else first - 1, first - after - 1)
