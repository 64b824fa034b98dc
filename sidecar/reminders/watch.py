"""Receives due jobs from the scheduler and answers each with success or failure.

Takes jobs only while an app is connected: without one the scheduler keeps them, and no attempt is
used up. A broken connection is opened again, for as long as the sidecar runs.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import grpc.aio
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.names import AppNames
from sidecar.proto import link_pb2
from sidecar.reminders.jobs import actor_types
from sidecar.reminders.link import Link, Session

_LOG = structlog.get_logger(scope="dapr.runtime.scheduler.cluster")
_RECONNECT_S = 0.2
_MOST_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job that has come due.

    Attributes:
        name: The job's, such as `run-activity`.
        actor_type: Of the actor that it is for.
        actor_id: Its id.
        data: What was scheduled with it.
    """

    name: str
    actor_type: str
    actor_id: str
    data: AnyMessage


Handler = Callable[[DueJob], Awaitable[bool]]


class JobWatch:
    """The sidecar's stream of due jobs.

    Args:
        link: To the scheduler.
        names: Of the app that is served.
        handle: Runs one job; true is success. It never raises.
    """

    def __init__(self, link: Link, names: AppNames, handle: Handler) -> None:
        self._link = link
        self._names = names
        self._handle = handle
        self._hosting = False
        self._session: Session | None = None
        self._running: set[asyncio.Task[None]] = set()
        # At most one delivery a job is out, so the number of jobs bounds it.
        self._waiting: deque[link_pb2.Delivery] = deque()

    @property
    def connected(self) -> bool:
        """Tell whether the scheduler is reached."""
        return self._link.connected

    def host(self, *, hosting: bool) -> None:
        """Take jobs from now on, or none; what is being worked on is still answered."""
        self._hosting = hosting
        if self._session is not None:
            self._session.say(self._initial())

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except grpc.aio.AioRpcError as error:
                _LOG.warning("scheduler stream ended", code=error.code().name)
            await asyncio.sleep(_RECONNECT_S)

    async def drain(self, timeout_s: float) -> None:
        """Wait until the jobs in hand have been answered; then give up those that have not."""
        self._waiting.clear()
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        for each in self._running:
            each.cancel()
        if self._session is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._session.all_sent(), timeout_s)

    def _initial(self) -> pb.WatchJobsRequestInitial:
        return pb.WatchJobsRequestInitial(
            app_id=self._names.app_id,
            namespace=self._names.namespace,
            actor_types=actor_types(self._names) if self._hosting else (),
            accept_job_types=[pb.JOB_TARGET_TYPE_ACTOR_REMINDER],
        )

    async def _watch(self) -> None:
        session = self._session = self._link.open()
        session.say(self._initial())
        try:
            async for delivery in session.deliveries():
                # Never waits: the answers that running jobs wait for come on the same stream.
                self._waiting.append(delivery)
                self._begin(session)
        finally:
            self._session = None
            self._waiting.clear()
            await session.close()

    def _begin(self, session: Session) -> None:
        while self._waiting and len(self._running) < _MOST_AT_ONCE:
            task = asyncio.create_task(self._answer(self._waiting.popleft(), session))
            self._running.add(task)
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._session is not None:
            self._begin(self._session)

    async def _answer(self, delivery: link_pb2.Delivery, session: Session) -> None:
        success = await self._handle(_due_job(delivery))
        session.answer(delivery.id, success=success)


def _due_job(delivery: link_pb2.Delivery) -> DueJob:
    actor = pb.JobMetadata.FromString(delivery.metadata).target.actor
    job = pb.Job.FromString(delivery.job)
    return DueJob(delivery.name, actor.type, actor.id, job.data)
