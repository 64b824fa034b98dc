"""What the streams of WatchJobs and of the link have in common: how a watch begins and ends."""

from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import structlog

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.scheduler.dispatcher import Dispatcher, Watch
from sidecar.scheduler.errors import RequestError
from sidecar.scheduler.keys import watched_pools

if TYPE_CHECKING:
    _Context = grpc.aio.ServicerContext[Any, Any]

_LOG = structlog.get_logger()
# In Dapr's words.
NO_INITIAL = (grpc.StatusCode.UNKNOWN, "initial request is required on stream connection")


async def open_watch(
    dispatcher: Dispatcher,
    watch: Watch,
    initial: pb.WatchJobsRequestInitial,
    context: "_Context",
) -> int:
    """Begin to deliver to a stream and return its id; a bad `initial` ends the call."""
    try:
        stream_id = dispatcher.open(watch, watched_pools(initial))
    except RequestError as refusal:
        await context.abort(refusal.code, refusal.details)
        raise
    _log(stream_id, initial)
    return stream_id


def change_watch(
    dispatcher: Dispatcher, stream_id: int, initial: pb.WatchJobsRequestInitial
) -> None:
    """Replace what a stream takes; RequestError."""
    dispatcher.watch(stream_id, watched_pools(initial))
    _log(stream_id, initial)


def close_watch(dispatcher: Dispatcher, stream_id: int) -> None:
    """End a stream's deliveries."""
    dispatcher.close(stream_id)
    _LOG.info("sidecar gone", stream=stream_id)


def _log(stream_id: int, initial: pb.WatchJobsRequestInitial) -> None:
    _LOG.info(
        "sidecar watches",
        stream=stream_id,
        app_id=initial.app_id,
        namespace=initial.namespace,
        actor_types=list(initial.actor_types),
    )
