"""Joins the board, the disk and the clock: stores jobs, and hands each to a stream when it is due.

Nothing is delivered before it is on disk. One timer runs, for the earliest job.
"""

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

import grpc
import structlog

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.profiles import Profile
from sidecar.scheduler.board import Board, Delivery, Entry, Verdict
from sidecar.scheduler.errors import RequestError, StoreError
from sidecar.scheduler.jobs import Job, parse_job
from sidecar.scheduler.keys import is_of_actors
from sidecar.scheduler.metrics import Metrics
from sidecar.scheduler.store import (
    CountAttempts,
    Delete,
    DeletePrefix,
    Finish,
    JobStore,
    Put,
    Write,
)

_LOG = structlog.get_logger()
_MOST_WAITING_WRITES = 10_000
# A timer that is asleep does not see the wall clock being set.
_LONGEST_SLEEP_S = 60.0
Done = Callable[[RequestError | None], None]


def now_us() -> int:
    """Return the time of day in microseconds since the epoch."""
    return time.time_ns() // 1000


class Watch(Protocol):
    """One sidecar's stream, as the dispatcher sees it."""

    def deliver(self, delivery: Delivery) -> None:
        """Send a delivery soon; at most one of each job is out, so the jobs bound them."""

    def end(self) -> None:
        """End the stream soon."""


class Dispatcher:
    """All that the scheduler does, without the wire."""

    def __init__(
        self,
        store: JobStore,
        profile: Profile,
        *,
        max_jobs: int,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self.profile = profile
        self._store = store
        self._max_jobs = max_jobs
        self._clock = clock
        self._watches: dict[int, Watch] = {}
        self.metrics = Metrics(self._watches.__len__)
        self._board = Board(self.metrics.undelivered)
        self._stream_ids = count(1)
        self._revisions = count(1)
        self._timer: asyncio.Handle | None = None
        self._is_poked = False
        self._is_stopped = False

    def start(self) -> None:
        """Take up the jobs on disk, each at its due time, and begin to deliver."""
        jobs = self._store.load()
        for each in jobs:
            self._board.put(each)
        self._revisions = count(1 + max((each.revision for each in jobs), default=0))
        self._poke()
        _LOG.info("jobs loaded", jobs=len(jobs))

    def stop(self) -> None:
        """End all streams and the timer; what is out stays on disk."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for each in self._watches.values():
            each.end()

    def schedule(self, request: pb.ScheduleJobRequest, done: Done) -> None:
        """Store a job; `done` is called with None once it is on disk, or with why it is not."""
        try:
            job = self._accept(request)
        except RequestError as refusal:
            done(refusal)
            return

        def settled(rows: int | StoreError) -> None:
            if isinstance(rows, StoreError):
                done(RequestError(grpc.StatusCode.INTERNAL, str(rows)))
            elif rows:
                self._board.put(job)
                self.metrics.created(job)
                self._poke()
                done(None)
            else:
                text = f"job already exists: '{job.key}'"
                done(RequestError(grpc.StatusCode.ALREADY_EXISTS, text))

        self._store.submit(Put(job, request.overwrite), settled)

    async def delete(self, key: str) -> None:
        """Delete a job, if there is one; it is gone from disk when this returns."""
        await self._delete(Delete(key), lambda: [key])

    async def delete_prefix(self, prefix: str) -> None:
        """Delete all jobs whose key begins with `prefix`."""
        await self._delete(
            DeletePrefix(prefix), lambda: [each.job.key for each in self._board.search(prefix)]
        )

    def get(self, key: str) -> Job | None:
        """Return the job of that key."""
        entry = self._board.get(key)
        return None if entry is None else entry.job

    def search(self, prefix: str) -> list[Entry]:
        """Return the jobs whose key begins with `prefix`, in the order of their keys."""
        return self._board.search(prefix)

    def open(self, watch: Watch, pools: frozenset[str]) -> int:
        """Begin to deliver the jobs of these pools to a new stream; return the stream's id."""
        stream_id = next(self._stream_ids)
        self._watches[stream_id] = watch
        self.watch(stream_id, pools)
        if self._is_stopped:
            watch.end()
        return stream_id

    def watch(self, stream_id: int, pools: frozenset[str]) -> None:
        """Replace the pools that a stream takes."""
        # There is no placement that would tell which of two an actor belongs to.
        if shared := [each for each in self._board.connect(stream_id, pools) if is_of_actors(each)]:
            _LOG.warning(
                "two sidecars take the same jobs and workflows will hang: run one for each app",
                stream=stream_id,
                pools=shared,
            )
        self._poke()

    def close(self, stream_id: int) -> None:
        """End a stream; what is out on it goes to another, or waits."""
        del self._watches[stream_id]
        self._board.disconnect(stream_id)
        self.metrics.closed(stream_id)
        self._poke()

    def answer(self, stream_id: int, result: pb.WatchJobsRequestResult) -> None:
        """Take a sidecar's answer to a delivery."""
        success = result.status == pb.SUCCESS
        answer = self._board.answer(stream_id, result.id, success=success)
        self.metrics.answered(stream_id, result.id, answer.job, success=success)
        match answer.verdict, answer.job:
            case Verdict.UNKNOWN, _:
                _LOG.warning("answer to no delivery", stream=stream_id, id=result.id)
            case ((Verdict.FINISHED | Verdict.DROPPED), Job() as job):
                self._store.submit(Finish(job), _log_failure)
            case Verdict.RETRIED, Job() as job if answer.clock is not None:
                if answer.clock.policy.max_retries is not None:
                    self._store.submit(CountAttempts(job, answer.clock.attempts), _log_failure)
                self._poke()

    def _accept(self, request: pb.ScheduleJobRequest) -> Job:
        job = parse_job(
            request, revision=next(self._revisions), now_us=self._clock(), profile=self.profile
        )
        if len(self._board) >= self._max_jobs and self._board.get(job.key) is None:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the scheduler holds {self._max_jobs} jobs, which is SCHEDULER_MAX_JOBS",
            )
        self._require_room()
        return job

    async def _delete(self, write: Write, keys: Callable[[], list[str]]) -> None:
        """Write, and forget the jobs of `keys`, read when the write is on disk."""
        self._require_room()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settled(rows: int | StoreError) -> None:
            refusal: RequestError | None = None
            if isinstance(rows, StoreError):
                refusal = RequestError(grpc.StatusCode.INTERNAL, str(rows))
            else:
                for each in keys():
                    self._board.remove(each)
            settle(done, refusal)

        self._store.submit(write, settled)
        await done

    def _require_room(self) -> None:
        if self._store.backlog >= _MOST_WAITING_WRITES:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{_MOST_WAITING_WRITES} writes wait for the disk; try again",
            )

    def _poke(self) -> None:
        """Look for due jobs, once in this turn of the event loop."""
        if not self._is_poked and not self._is_stopped:
            self._is_poked = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_poked = False
        if self._timer is not None:
            self._timer.cancel()
        if self._is_stopped:
            return
        for each in self._board.due(self._clock()):
            self.metrics.sent(each)
            self._watches[each.stream_id].deliver(each)
        until_us = self._board.next_us()
        left_s = _LONGEST_SLEEP_S if until_us is None else (until_us - self._clock()) / 1e6
        left_s = min(max(left_s, 0.0), _LONGEST_SLEEP_S)
        self._timer = asyncio.get_running_loop().call_later(left_s, self._deliver)


def settle(done: "asyncio.Future[None]", refusal: RequestError | None) -> None:
    """End a future: nothing was refused, or that was; its waiter may have gone."""
    if done.cancelled():
        return
    if refusal is None:
        done.set_result(None)
    else:
        done.set_exception(refusal)


def _log_failure(rows: int | StoreError) -> None:
    if isinstance(rows, StoreError):
        _LOG.error("the end of a job was not stored", error=str(rows))
