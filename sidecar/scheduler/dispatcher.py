"""Joins the board, the disk and the clock: stores jobs, and hands each to a stream when it is due.

Nothing is delivered before it is on disk. One timer runs, for the earliest job.
"""

import asyncio
import time
from collections.abc import Callable
from itertools import count

import grpc
import structlog

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.profiles import Profile
from sidecar.scheduler.board import Board, Delivery, Entry, Verdict
from sidecar.scheduler.errors import RequestError, StoreError
from sidecar.scheduler.jobs import Job, parse_job
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


def now_us() -> int:
    """Return the time of day in microseconds since the epoch."""
    return time.time_ns() // 1000


class Watch:
    """One sidecar's stream: the deliveries that wait to be sent on it.

    The queue holds at most one delivery a job, so the number of jobs bounds it.
    """

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.deliveries: asyncio.Queue[Delivery | None] = asyncio.Queue()


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
        self._board = Board()
        self._watches: dict[int, Watch] = {}
        self._stream_ids = count(1)
        self._wake = asyncio.Event()
        self._revisions = count(1)
        self._pump: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up the jobs on disk, each at its due time, and begin to deliver."""
        jobs = self._store.load()
        for each in jobs:
            self._board.put(each)
        self._revisions = count(1 + max((each.revision for each in jobs), default=0))
        self._pump = asyncio.create_task(self._deliver())
        _LOG.info("jobs loaded", jobs=len(jobs))

    async def stop(self) -> None:
        """End all streams and the timer; what is out stays on disk."""
        for each in self._watches.values():
            each.deliveries.put_nowait(None)
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    async def schedule(self, request: pb.ScheduleJobRequest) -> None:
        """Store a job; it is on disk when this returns."""
        job = parse_job(
            request, revision=next(self._revisions), now_us=self._clock(), profile=self.profile
        )
        if len(self._board) >= self._max_jobs and self._board.get(job.key) is None:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the scheduler holds {self._max_jobs} jobs, which is SCHEDULER_MAX_JOBS",
            )

        def on_commit(rows: int) -> None:
            if rows:
                self._board.put(job)
                self._wake.set()

        if not await self._write(Put(job, request.overwrite), on_commit):
            raise RequestError(grpc.StatusCode.ALREADY_EXISTS, f"job already exists: '{job.key}'")

    async def delete(self, key: str) -> None:
        """Delete a job, if there is one; it is gone from disk when this returns."""
        await self._write(Delete(key), lambda _rows: self._forget([key]))

    async def delete_prefix(self, prefix: str) -> None:
        """Delete all jobs whose key begins with `prefix`."""

        def on_commit(_rows: int) -> None:
            self._forget([each.job.key for each in self._board.search(prefix)])

        await self._write(DeletePrefix(prefix), on_commit)

    def get(self, key: str) -> Job | None:
        """Return the job of that key."""
        entry = self._board.get(key)
        return None if entry is None else entry.job

    def search(self, prefix: str) -> list[Entry]:
        """Return the jobs whose key begins with `prefix`, in the order of their keys."""
        return self._board.search(prefix)

    def open(self, pools: frozenset[str]) -> Watch:
        """Begin to deliver the jobs of these pools to a new stream."""
        watch = Watch(next(self._stream_ids))
        self._watches[watch.stream_id] = watch
        self.watch(watch, pools)
        return watch

    def watch(self, watch: Watch, pools: frozenset[str]) -> None:
        """Replace the pools that a stream takes."""
        self._board.connect(watch.stream_id, pools)
        self._wake.set()

    def close(self, watch: Watch) -> None:
        """End a stream; what is out on it goes to another, or waits."""
        del self._watches[watch.stream_id]
        self._board.disconnect(watch.stream_id)
        self._wake.set()

    def answer(self, watch: Watch, result: pb.WatchJobsRequestResult) -> None:
        """Take a sidecar's answer to a delivery."""
        answer = self._board.answer(watch.stream_id, result.id, success=result.status == pb.SUCCESS)
        match answer.verdict, answer.job:
            case Verdict.UNKNOWN, _:
                _LOG.warning("answer to no delivery", stream=watch.stream_id, id=result.id)
            case ((Verdict.FINISHED | Verdict.DROPPED), Job() as job):
                self._write_later(Finish(job))
            case Verdict.RETRIED, Job() as job if answer.clock is not None:
                if answer.clock.policy.max_retries is not None:
                    self._write_later(CountAttempts(job, answer.clock.attempts))
                self._wake.set()

    def _forget(self, keys: list[str]) -> None:
        for each in keys:
            self._board.remove(each)

    async def _write(self, write: Write, on_commit: Callable[[int], None]) -> int:
        if self._store.backlog >= _MOST_WAITING_WRITES:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{_MOST_WAITING_WRITES} writes wait for the disk; try again",
            )
        try:
            return await asyncio.shield(self._store.submit(write, on_commit))
        except StoreError as error:
            raise RequestError(grpc.StatusCode.INTERNAL, str(error)) from error

    def _write_later(self, write: Write) -> None:
        self._store.submit(write).add_done_callback(_log_failure)

    async def _deliver(self) -> None:
        while True:
            self._wake.clear()
            for each in self._board.due(self._clock()):
                self._watches[each.stream_id].deliveries.put_nowait(each)
            await self._sleep(self._board.next_us())

    async def _sleep(self, until_us: int | None) -> None:
        """Return when something has changed, or at `until_us` at the latest."""
        left_s = _LONGEST_SLEEP_S if until_us is None else (until_us - self._clock()) / 1e6
        try:
            async with asyncio.timeout(min(max(left_s, 0.0), _LONGEST_SLEEP_S)):
                await self._wake.wait()
        except TimeoutError:
            return


def _log_failure(done: "asyncio.Future[int]") -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _LOG.error("the end of a job was not stored", error=str(error))
