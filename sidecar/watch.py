"""Receives due jobs from the scheduler and answers each with success or failure.

Takes jobs only while an app is connected: without one the scheduler keeps them, and no attempt is
used up. A broken connection is opened again, for as long as the sidecar runs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import structlog

from scheduler_api.proto import scheduler_pb2 as pb
from scheduler_api.proto import scheduler_pb2_grpc as pb_grpc
from sidecar.jobs import actor_types
from sidecar.names import AppNames

_LOG = structlog.get_logger(scope="dapr.runtime.scheduler.cluster")
_RECONNECT_S = 0.2
_MOST_AT_ONCE = 10_000
_MOST_UNSENT = 10_000
Handler = Callable[[pb.WatchJobsResponse], Awaitable[bool]]
if TYPE_CHECKING:
    # Generic in the type stubs alone.
    _Stream = grpc.aio.StreamStreamCall[Any, Any]


class _Outbox:
    """What waits to be sent on one stream: results, which are bounded, and changes of hosting."""

    def __init__(self) -> None:
        self._requests: asyncio.Queue[pb.WatchJobsRequest] = asyncio.Queue()
        self._room = asyncio.Semaphore(_MOST_UNSENT)

    def say(self, initial: pb.WatchJobsRequestInitial) -> None:
        """Tell the scheduler what is hosted."""
        self._requests.put_nowait(pb.WatchJobsRequest(initial=initial))

    async def answer(self, result: pb.WatchJobsRequestResult) -> None:
        """Answer a delivery; waits while too many answers are unsent."""
        await self._room.acquire()
        self._requests.put_nowait(pb.WatchJobsRequest(result=result))

    async def send(self, stream: "_Stream") -> None:
        """Send what comes, until cancelled."""
        while True:
            request = await self._requests.get()
            await stream.write(request)
            if request.HasField("result"):
                self._room.release()
            self._requests.task_done()

    async def sent(self) -> None:
        """Wait until nothing is unsent."""
        await self._requests.join()


class JobWatch:
    """The sidecar's stream of due jobs.

    Args:
        channel: To the scheduler.
        names: Of the app that is served.
        handle: Runs one job; true is success. It never raises.
    """

    def __init__(self, channel: grpc.aio.Channel, names: AppNames, handle: Handler) -> None:
        self._channel = channel
        self._stub = pb_grpc.SchedulerStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._names = names
        self._handle = handle
        self._hosting = False
        self._outbox: _Outbox | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    @property
    def connected(self) -> bool:
        """Tell whether the scheduler is reached."""
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    def host(self, *, hosting: bool) -> None:
        """Take jobs from now on, or none; what is being worked on is still answered."""
        self._hosting = hosting
        if self._outbox is not None:
            self._outbox.say(self._initial())

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
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        for each in self._running:
            each.cancel()
        if self._outbox is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._outbox.sent(), timeout_s)

    def _initial(self) -> pb.WatchJobsRequestInitial:
        return pb.WatchJobsRequestInitial(
            app_id=self._names.app_id,
            namespace=self._names.namespace,
            actor_types=actor_types(self._names) if self._hosting else (),
            accept_job_types=[pb.JOB_TARGET_TYPE_ACTOR_REMINDER],
        )

    async def _watch(self) -> None:
        outbox = _Outbox()
        outbox.say(self._initial())
        stream = self._stub.WatchJobs(wait_for_ready=True)
        self._outbox = outbox
        writer = asyncio.create_task(outbox.send(stream))
        try:
            async for delivery in stream:
                await self._room.acquire()
                task = asyncio.create_task(self._answer(delivery, outbox))
                self._running.add(task)
                task.add_done_callback(self._forget)
        finally:
            self._outbox = None
            writer.cancel()
            stream.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.release()

    async def _answer(self, delivery: pb.WatchJobsResponse, outbox: _Outbox) -> None:
        status = pb.SUCCESS if await self._handle(delivery) else pb.FAILED
        await outbox.answer(pb.WatchJobsRequestResult(id=delivery.id, status=status))
