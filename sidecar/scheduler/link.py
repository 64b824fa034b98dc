"""The scheduler's end of the sidecar's own stream: ScheduleJob and WatchJobs, in batches."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import structlog

from sidecar.outbox import Outbox
from sidecar.proto import link_pb2, link_pb2_grpc
from sidecar.scheduler.board import Delivery
from sidecar.scheduler.dispatcher import Dispatcher
from sidecar.scheduler.errors import RequestError
from sidecar.scheduler.watches import NO_INITIAL, change_watch, close_watch, open_watch

if TYPE_CHECKING:
    _Context = grpc.aio.ServicerContext[Any, Any]

_LOG = structlog.get_logger()


class LinkService(link_pb2_grpc.LinkServicer):
    """Answers the call; see link.proto for its promises."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def Open(  # noqa: N802 - the wire's name
        self, requests: AsyncIterator[link_pb2.FromSidecar], context: "_Context"
    ) -> None:
        """Serve a sidecar until either side ends the stream."""
        first = await anext(aiter(requests), link_pb2.FromSidecar())
        if not first.HasField("initial"):
            await context.abort(*NO_INITIAL)
        stream = _Stream(self._dispatcher)
        stream_id = await open_watch(self._dispatcher, stream, first.initial, context)
        reader = asyncio.create_task(_read(self._dispatcher, stream, stream_id, requests))
        try:
            await context.write(link_pb2.FromScheduler())
            while batch := await stream.outbox.take():
                await context.write(_message(batch))
        finally:
            reader.cancel()
            close_watch(self._dispatcher, stream_id)


class _Stream:
    """What one stream has to send.

    It ends when each job that it was asked to store has been answered, and takes no further one:
    else a sidecar would take the end of a scheduler for the loss of a job that is on disk.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.outbox: Outbox[Delivery | link_pb2.Scheduled] = Outbox()
        self._dispatcher = dispatcher
        self._unsettled = 0
        self._ending = False

    def deliver(self, delivery: Delivery) -> None:
        """See Watch."""
        self.outbox.put(delivery, len(delivery.job.spec_bytes))

    def end(self) -> None:
        """See Watch."""
        self._ending = True
        self._close_if_settled()

    def schedule(self, asked: link_pb2.Schedule) -> None:
        """Store a job, and answer."""
        if self._ending:
            return
        self._unsettled += 1
        schedule_id = asked.id

        def done(refusal: RequestError | None) -> None:
            answer = link_pb2.Scheduled(id=schedule_id)
            if refusal is not None:
                answer.code, answer.details = refusal.code.value[0], refusal.details
            self.outbox.put(answer)
            self._unsettled -= 1
            self._close_if_settled()

        self._dispatcher.schedule(asked.request, done)

    def _close_if_settled(self) -> None:
        if self._ending and not self._unsettled:
            self.outbox.close()


async def _read(
    dispatcher: Dispatcher,
    stream: _Stream,
    stream_id: int,
    requests: AsyncIterator[link_pb2.FromSidecar],
) -> None:
    """Take what the sidecar says; the end of it ends the stream."""
    try:
        async for each in requests:
            if each.HasField("initial"):
                change_watch(dispatcher, stream_id, each.initial)
            for asked in each.schedules:
                stream.schedule(asked)
            for result in each.results:
                dispatcher.answer(stream_id, result)
    except (RequestError, grpc.RpcError) as error:
        _LOG.warning("watch broken", stream=stream_id, error=str(error))
    finally:
        stream.end()


def _message(batch: list[Delivery | link_pb2.Scheduled]) -> link_pb2.FromScheduler:
    message = link_pb2.FromScheduler()
    for each in batch:
        if isinstance(each, Delivery):
            message.deliveries.add(
                id=each.delivery_id,
                name=each.job.name,
                metadata=each.job.metadata_bytes,
                job=each.job.spec_bytes,
            )
        else:
            message.scheduled.append(each)
    return message
