"""Which job is delivered to which sidecar, and when. No I/O: time comes as argument.

A job is *waiting* for its next time, *staged* (due, but nobody takes it), or *out* (delivered and
not answered yet). It never waits twice, and only what is out can be answered.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from sidecar.scheduler.jobs import Job
from sidecar.scheduler.retry_clock import RetryClock

# Below this many, left-over entries of the heap are not worth a sweep.
_SWEEP_FROM = 64


class Place(Enum):
    """Where a job is in its life."""

    WAITING = auto()
    STAGED = auto()
    OUT = auto()
    GONE = auto()


class Verdict(Enum):
    """What an answer to a delivery came to."""

    FINISHED = auto()
    DROPPED = auto()
    RETRIED = auto()
    # The job was deleted or overwritten while it was out.
    STALE = auto()
    # No delivery of that id is outstanding on that stream.
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One job on its way: `delivery_id` is unique within the stream."""

    stream_id: int
    delivery_id: int
    job: Job


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, and the job and its clock where there is one."""

    verdict: Verdict
    job: Job | None = None
    clock: RetryClock | None = None


@dataclass(slots=True, eq=False)
class Entry:
    """A job's place and clock; `job` and `clock` are replaced, never changed."""

    job: Job
    clock: RetryClock
    place: Place


@dataclass(slots=True)
class _Stream:
    pools: frozenset[str]
    out: dict[int, Entry] = field(default_factory=dict)
    last_delivery_id: int = 0


class Board:
    """All jobs and all watching sidecars.

    Args:
        on_undelivered: Called for each due job that nobody takes, or whose stream ends.
    """

    def __init__(self, on_undelivered: Callable[[Job], None] = lambda _: None) -> None:
        self._on_undelivered = on_undelivered
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[int, int, Entry]] = []
        self._pushes = 0
        self._left_over = 0
        self._staged: dict[str, dict[str, Entry]] = {}
        self._streams: dict[int, _Stream] = {}
        self._takers: dict[str, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        """Return the job of that key, wherever it is."""
        return self._entries.get(key)

    def search(self, prefix: str) -> list[Entry]:
        """Return the jobs whose key begins with `prefix`, in the order of their keys."""
        keys = sorted(key for key in self._entries if key.startswith(prefix))
        return [self._entries[key] for key in keys]

    def put(self, job: Job) -> None:
        """Add a job in the place of the one that has its key; a delivery of that goes stale."""
        self.remove(job.key)
        entry = Entry(job, job.clock(), Place.WAITING)
        self._entries[job.key] = entry
        self._push(entry)

    def remove(self, key: str) -> bool:
        """Forget a job; a delivery of it goes stale. False when there is none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        place, entry.place = entry.place, Place.GONE
        if place is Place.WAITING:
            self._left_over += 1
            self._sweep()
        elif place is Place.STAGED:
            self._unstage(entry)
        return True

    def connect(self, stream_id: int, pools: frozenset[str]) -> list[str]:
        """Let a stream take the jobs of these pools, or replace the pools that it took.

        Return those among the new ones that another stream takes too.
        """
        stream = self._streams.setdefault(stream_id, _Stream(frozenset()))
        for each in stream.pools - pools:
            self._takers[each].remove(stream_id)
            if not self._takers[each]:
                del self._takers[each]
        added = sorted(pools - stream.pools)
        shared = [each for each in added if each in self._takers]
        for each in added:
            self._takers.setdefault(each, deque()).append(stream_id)
            for entry in self._staged.pop(each, {}).values():
                self._wait(entry)
        stream.pools = pools
        return shared

    def disconnect(self, stream_id: int) -> None:
        """Take a stream away; what was out on it waits again with the same clock."""
        self.connect(stream_id, frozenset())
        stream = self._streams.pop(stream_id)
        for entry in stream.out.values():
            if entry.place is Place.OUT:
                self._on_undelivered(entry.job)
                self._wait(entry)

    def answer(self, stream_id: int, delivery_id: int, *, success: bool) -> Answer:
        """Take a sidecar's answer: the job ends, waits for its next time, or was not meant."""
        entry = self._streams[stream_id].out.pop(delivery_id, None)
        if entry is None:
            return Answer(Verdict.UNKNOWN)
        if entry.place is Place.GONE:
            return Answer(Verdict.STALE, entry.job)
        if success:
            self.remove(entry.job.key)
            return Answer(Verdict.FINISHED, entry.job, entry.clock)
        clock = entry.clock.failed()
        if clock is None:
            self.remove(entry.job.key)
            return Answer(Verdict.DROPPED, entry.job, entry.clock)
        entry.clock = clock
        self._wait(entry)
        return Answer(Verdict.RETRIED, entry.job, clock)

    def due(self, now_us: int) -> list[Delivery]:
        """Return what is to be delivered now, oldest first; stage what nobody takes."""
        deliveries = []
        while self._heap and (self._heap[0][0] <= now_us or self._is_left_over(0)):
            entry = heapq.heappop(self._heap)[2]
            if entry.place is not Place.WAITING:
                self._left_over -= 1
                continue
            delivery = self._hand_out(entry)
            if delivery is not None:
                deliveries.append(delivery)
        return deliveries

    def next_us(self) -> int | None:
        """Return when `due` next has something to do; None while nothing waits."""
        return self._heap[0][0] if self._heap else None

    def _hand_out(self, entry: Entry) -> Delivery | None:
        takers = self._takers.get(entry.job.pool)
        if takers is None:
            entry.place = Place.STAGED
            self._on_undelivered(entry.job)
            self._staged.setdefault(entry.job.pool, {})[entry.job.key] = entry
            return None
        stream_id = takers[0]
        takers.rotate(-1)
        stream = self._streams[stream_id]
        stream.last_delivery_id += 1
        stream.out[stream.last_delivery_id] = entry
        entry.place = Place.OUT
        return Delivery(stream_id, stream.last_delivery_id, entry.job)

    def _wait(self, entry: Entry) -> None:
        entry.place = Place.WAITING
        self._push(entry)

    def _push(self, entry: Entry) -> None:
        self._pushes += 1
        heapq.heappush(self._heap, (entry.clock.next_us, self._pushes, entry))

    def _unstage(self, entry: Entry) -> None:
        staged = self._staged[entry.job.pool]
        del staged[entry.job.key]
        if not staged:
            del self._staged[entry.job.pool]

    def _is_left_over(self, index: int) -> bool:
        return self._heap[index][2].place is not Place.WAITING

    def _sweep(self) -> None:
        """Rebuild the heap once most of it is left over: deleted timers may be due in years."""
        if self._left_over > max(_SWEEP_FROM, len(self._heap) // 2):
            self._heap = [each for each in self._heap if each[2].place is Place.WAITING]
            heapq.heapify(self._heap)
            self._left_over = 0
