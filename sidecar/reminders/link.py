"""The sidecar's stream to the scheduler: schedules, due jobs and their answers, in batches.

While it is not open, jobs are scheduled by ScheduleJob, the call that any client uses.
"""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from scheduler_api.proto import scheduler_pb2 as pb
from scheduler_api.proto import scheduler_pb2_grpc as pb_grpc
from sidecar.errors import SchedulerError
from sidecar.outbox import Outbox
from sidecar.proto import link_pb2, link_pb2_grpc

if TYPE_CHECKING:
    # Generic in the type stubs alone.
    _Stream = grpc.aio.StreamStreamCall[Any, Any]

CALL_TIMEOUT_S = 5.0
_CODES = {each.value[0]: each for each in grpc.StatusCode}
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_Item = pb.WatchJobsRequestInitial | pb.WatchJobsRequestResult | link_pb2.Schedule


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a channel to the scheduler that reconnects within about a second."""
    return grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)


def refused(code: grpc.StatusCode, details: str) -> SchedulerError:
    """Return a status as Go prints it, which is how Dapr's texts quote the scheduler."""
    name = "".join(word.capitalize() for word in code.name.split("_"))
    return SchedulerError(f"rpc error: code = {name} desc = {details}")


class Link:
    """The way to the scheduler; one stream is open at a time.

    Args:
        channel: To the scheduler.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._calls = pb_grpc.SchedulerStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._streams = link_pb2_grpc.LinkStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._session: Session | None = None

    @property
    def connected(self) -> bool:
        """Tell whether the scheduler is reached."""
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    async def schedule(self, request: pb.ScheduleJobRequest, size_bytes: int) -> None:
        """Have a job stored; it is on the scheduler's disk when this returns.

        Raises:
            SchedulerError: it was refused, or nobody knows whether it was stored.
        """
        session = self._session
        if session is not None and session.is_open:
            await session.schedule(request, size_bytes)
        else:
            await self.call(self._calls.ScheduleJob, request)

    async def list_jobs(self, metadata: pb.JobMetadata) -> pb.ListJobsResponse:
        """List the jobs of a target; SchedulerError."""
        request = pb.ListJobsRequest(metadata=metadata)
        listed: pb.ListJobsResponse = await self.call(self._calls.ListJobs, request)
        return listed

    async def delete_job(self, name: str, metadata: pb.JobMetadata) -> None:
        """Delete a job, if there is one; SchedulerError."""
        await self.call(self._calls.DeleteJob, pb.DeleteJobRequest(name=name, metadata=metadata))

    async def call(self, method: Any, request: Any) -> Any:
        """Make a call of Dapr's protocol; SchedulerError."""
        try:
            return await method(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise refused(error.code(), error.details() or "") from None

    def open(self) -> "Session":
        """Open a stream in the place of the one before; it connects by itself."""
        self._session = Session(self._streams.Open(wait_for_ready=True))
        return self._session


class Session:
    """One stream.

    Attributes:
        is_open: Whether the scheduler has answered on it, and it has not ended.
    """

    def __init__(self, stream: "_Stream") -> None:
        self.is_open = False
        self._stream = stream
        # A delivery is answered once and a schedule waited for, so their numbers bound it.
        self._outbox: Outbox[_Item] = Outbox()
        self._scheduling: dict[int, asyncio.Future[None]] = {}
        self._ids = count(1)
        self._writer = asyncio.create_task(self._send())

    def say(self, initial: pb.WatchJobsRequestInitial) -> None:
        """Tell the scheduler what is hosted."""
        self._outbox.put(initial)

    def answer(self, delivery_id: int, *, success: bool) -> None:
        """Answer a delivery; once the stream has ended that is nobody's."""
        status = pb.SUCCESS if success else pb.FAILED
        self._outbox.put(pb.WatchJobsRequestResult(id=delivery_id, status=status))

    async def schedule(self, request: pb.ScheduleJobRequest, size_bytes: int) -> None:
        """See Link."""
        loop = asyncio.get_running_loop()
        schedule_id, done = next(self._ids), loop.create_future()
        self._scheduling[schedule_id] = done
        late = loop.call_later(CALL_TIMEOUT_S, _expire, done)
        self._outbox.put(link_pb2.Schedule(id=schedule_id, request=request), size_bytes)
        try:
            await done
        finally:
            late.cancel()
            self._scheduling.pop(schedule_id, None)

    async def deliveries(self) -> AsyncIterator[link_pb2.Delivery]:
        """Yield due jobs until the stream ends; AioRpcError where it breaks."""
        message: link_pb2.FromScheduler
        async for message in self._stream:
            self.is_open = True
            for each in message.scheduled:
                self._settle(each)
            for delivery in message.deliveries:
                yield delivery

    async def all_sent(self) -> None:
        """Wait until nothing is unsent."""
        await self._outbox.all_sent()

    async def close(self) -> None:
        """End the stream; what has not been answered fails."""
        self.is_open = False
        self._writer.cancel()
        self._stream.cancel()
        # First of all, for this may be cancelled while it waits.
        for done in self._scheduling.values():
            if not done.done():
                done.set_exception(refused(grpc.StatusCode.UNAVAILABLE, "the stream has ended"))
        await asyncio.gather(self._writer, return_exceptions=True)

    def _settle(self, scheduled: link_pb2.Scheduled) -> None:
        done = self._scheduling.get(scheduled.id)
        if done is None or done.done():
            return
        if scheduled.code:
            done.set_exception(refused(_CODES[scheduled.code], scheduled.details))
        else:
            done.set_result(None)

    async def _send(self) -> None:
        while batch := await self._outbox.take():
            await self._stream.write(_message(batch))
            self._outbox.sent(len(batch))


def _expire(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_exception(refused(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))


def _message(batch: list[_Item]) -> link_pb2.FromSidecar:
    message = link_pb2.FromSidecar()
    for each in batch:
        match each:
            case pb.WatchJobsRequestInitial():
                message.initial.CopyFrom(each)
            case pb.WatchJobsRequestResult():
                message.results.append(each)
            case _:
                message.schedules.append(each)
    return message
