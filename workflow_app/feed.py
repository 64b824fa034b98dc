"""A bounded feed that readers follow with a cursor, safe to use from several threads.

Cursors only grow, also over a restart of the process: they begin at the start time.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a feed.

    Attributes:
        entries: JSON objects, each with its `seq`, oldest first.
        next: Cursor to ask with the next time.
        dropped: Entries newer than the asked cursor that are no longer kept.
    """

    entries: list[dict[str, Any]]
    next: int
    dropped: int

    def as_json(self, name: str) -> dict[str, Any]:
        """Return the answer of a feed route whose entries are called `name`."""
        return {name: self.entries, "next": self.next, "dropped": self.dropped}


def first_seq(started_unix_ms: int) -> int:
    """Return the first cursor of a process, above all cursors of an earlier process."""
    return started_unix_ms * 1000 + 1


class Feed:
    """Keeps the newest `limit` entries."""

    def __init__(self, *, limit: int, first: int) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=limit)
        self._first = first
        self._next = first
        self._lock = threading.Lock()

    def append(self, entry: dict[str, Any]) -> None:
        """Add an entry and give it the next `seq`."""
        with self._lock:
            self._entries.append({"seq": self._next, **entry})
            self._next += 1

    def read(self, after: int, limit: int) -> Page:
        """Return at most `limit` entries whose `seq` is above `after`."""
        with self._lock:
            oldest = self._next - len(self._entries)
            wanted = max(after + 1, oldest)
            begin = min(wanted - oldest, len(self._entries))
            end = min(begin + limit, len(self._entries))
            entries = [self._entries[index] for index in range(begin, end)]
            dropped = max(0, oldest - max(after + 1, self._first))
        return Page(entries, entries[-1]["seq"] if entries else after, dropped)
