"""The feed of charged calls: a bounded ring whose cursors never go back, not even over a reset."""

from typing import Literal, NamedTuple

from metering.identity import CallerIdentity
from metering.usage import Usage

CallStatus = Literal["completed", "cut"]


class CallRecord(NamedTuple):
    """One charged call.

    Attributes:
        seq: Its cursor, from 1.
        started_unix_ms: When its request was read.
        ended_unix_ms: When it was charged.
        model: As the request named it.
        identity: Who made it.
        stream: Whether its answer was streamed.
        usage: What was charged for.
        nano_usd: The charge.
        duplicate: Whether the same call was served before.
        status: `cut` when its client went away before the answer was complete.
    """

    seq: int
    started_unix_ms: int
    ended_unix_ms: int
    model: str
    identity: CallerIdentity
    stream: bool
    usage: Usage
    nano_usd: int
    duplicate: bool
    status: CallStatus


class Page(NamedTuple):
    """A stretch of the feed.

    Attributes:
        calls: The entries after the cursor, oldest first.
        next: The cursor to ask with the next time.
        dropped: Entries after the cursor that are no longer kept.
    """

    calls: list[CallRecord]
    next: int
    dropped: int


class Journal:
    """The last `limit` charged calls."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ring: list[CallRecord] = []
        self._start = 0
        self._last = 0

    @property
    def next_seq(self) -> int:
        """The cursor of the next entry."""
        return self._last + 1

    def append(self, record: CallRecord) -> None:
        """Keep an entry whose `seq` is `next_seq`, in place of the oldest when full."""
        if len(self._ring) < self._limit:
            self._ring.append(record)
        else:
            self._ring[(record.seq - self._start - 1) % self._limit] = record
        self._last = record.seq

    def clear(self) -> None:
        """Forget all entries; cursors go on from where they are."""
        self._ring = []
        self._start = self._last

    def page(self, after: int, limit: int) -> Page:
        """Return up to `limit` entries after a cursor; cursors before a reset mean its time."""
        after = max(min(after, self._last), self._start)
        oldest = self._last - len(self._ring) + 1
        first = max(after + 1, oldest)
        last = min(self._last, first + limit - 1)
        calls = [self._at(seq) for seq in range(first, last + 1)]
        return Page(calls, next=max(after, last), dropped=max(0, oldest - after - 1))

    def _at(self, seq: int) -> CallRecord:
        return self._ring[(seq - self._start - 1) % self._limit]
