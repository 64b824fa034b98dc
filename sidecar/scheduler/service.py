"""The gRPC face of the scheduler: `dapr.proto.scheduler.v1.Scheduler`.

Refusals have the codes and the words of the profile's Dapr.
"""
# ruff: noqa: N802 - the methods have the names that the protocol gives them

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import grpc.aio
import structlog

from scheduler_api.proto import scheduler_pb2 as pb
from scheduler_api.proto import scheduler_pb2_grpc as pb_grpc
from sidecar.scheduler.board import Delivery
from sidecar.scheduler.dispatcher import Dispatcher, settle
from sidecar.scheduler.errors import RequestError
from sidecar.scheduler.jobs import Job
from sidecar.scheduler.keys import (
    SEPARATOR,
    check_key,
    job_key,
    search_prefix,
)
from sidecar.scheduler.watches import NO_INITIAL, change_watch, close_watch, open_watch

if TYPE_CHECKING:
    _Context = grpc.aio.ServicerContext[Any, Any]

_LOG = structlog.get_logger()
_SERVICE = pb.DESCRIPTOR.services_by_name["Scheduler"].full_name
_SEGMENTS_OF_A_REMINDER = 5
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def _refusing(
    method: Callable[["SchedulerService", _Request], Awaitable[_Response]],
) -> Callable[["SchedulerService", _Request, "_Context"], Awaitable[_Response]]:
    """Answer a RequestError as the gRPC status that it carries."""

    @wraps(method)
    async def answer(self: "SchedulerService", request: _Request, context: "_Context") -> _Response:
        try:
            return await method(self, request)
        except RequestError as refusal:
            await context.abort(refusal.code, refusal.details)
            raise

    return answer


class SchedulerService(pb_grpc.SchedulerServicer):
    """Answers the calls."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._profile = dispatcher.profile

    @_refusing
    async def ScheduleJob(self, request: pb.ScheduleJobRequest) -> pb.ScheduleJobResponse:
        """Store a job; answered when it is on disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._dispatcher.schedule(request, partial(settle, done))
        await done
        return pb.ScheduleJobResponse()

    @_refusing
    async def GetJob(self, request: pb.GetJobRequest) -> pb.GetJobResponse:
        """Return one job as it was sent."""
        job = self._dispatcher.get(self._key(request.name, request.metadata))
        if job is None:
            raise RequestError(grpc.StatusCode.NOT_FOUND, f"job not found: {request.name}")
        return pb.GetJobResponse(job=job.spec)

    @_refusing
    async def DeleteJob(self, request: pb.DeleteJobRequest) -> pb.DeleteJobResponse:
        """Delete one job; OK as well when there is none."""
        await self._dispatcher.delete(self._key(request.name, request.metadata))
        return pb.DeleteJobResponse()

    @_refusing
    async def DeleteByMetadata(
        self, request: pb.DeleteByMetadataRequest
    ) -> pb.DeleteByMetadataResponse:
        """Delete all jobs of a target, or of all whose actor id begins as given."""
        self._require_bulk_delete("DeleteByMetadata")
        prefix = search_prefix(request.metadata, closed=not request.id_prefix_match)
        await self._delete_prefix(prefix)
        return pb.DeleteByMetadataResponse()

    @_refusing
    async def DeleteByNamePrefix(
        self, request: pb.DeleteByNamePrefixRequest
    ) -> pb.DeleteByNamePrefixResponse:
        """Delete the jobs of a target whose name begins as given."""
        self._require_bulk_delete("DeleteByNamePrefix")
        await self._delete_prefix(
            search_prefix(request.metadata, closed=True) + request.name_prefix
        )
        return pb.DeleteByNamePrefixResponse()

    @_refusing
    async def ListJobs(self, request: pb.ListJobsRequest) -> pb.ListJobsResponse:
        """Return the pending jobs of a target, waiting or out, in the order of their keys."""
        closed = not self._profile.list_jobs_id_is_prefix
        found = self._dispatcher.search(search_prefix(request.metadata, closed=closed))
        return pb.ListJobsResponse(jobs=[self._listed(each.job) for each in found])

    async def WatchJobs(
        self, requests: AsyncIterator[pb.WatchJobsRequest], context: "_Context"
    ) -> None:
        """Deliver due jobs to a sidecar and take its answers until either side ends the stream."""
        first = await anext(aiter(requests), pb.WatchJobsRequest())
        if not first.HasField("initial"):
            await context.abort(*NO_INITIAL)
        queue = _Queue()
        stream_id = await open_watch(self._dispatcher, queue, first.initial, context)
        reader = asyncio.create_task(self._read(stream_id, queue, requests))
        try:
            while (delivery := await queue.get()) is not None:
                await context.write(_delivered(delivery))
        finally:
            reader.cancel()
            close_watch(self._dispatcher, stream_id)

    async def _read(
        self, stream_id: int, queue: "_Queue", requests: AsyncIterator[pb.WatchJobsRequest]
    ) -> None:
        """Take answers and changes of the actor types; the end of them ends the stream."""
        try:
            async for each in requests:
                if each.HasField("initial"):
                    change_watch(self._dispatcher, stream_id, each.initial)
                else:
                    self._dispatcher.answer(stream_id, each.result)
        except (RequestError, grpc.RpcError) as error:
            _LOG.warning("watch broken", stream=stream_id, error=str(error))
        finally:
            queue.end()

    def _key(self, name: str, metadata: pb.JobMetadata) -> str:
        key = job_key(name, metadata)
        check_key(key, self._profile.job_name_rule)
        return key

    async def _delete_prefix(self, prefix: str) -> None:
        check_key(prefix, self._profile.job_name_rule)
        await self._dispatcher.delete_prefix(prefix)

    def _require_bulk_delete(self, method: str) -> None:
        if not self._profile.delete_by_metadata_supported:
            raise RequestError(
                grpc.StatusCode.UNIMPLEMENTED, f"unknown method {method} for service {_SERVICE}"
            )

    def _listed(self, job: Job) -> pb.NamedJob:
        if self._profile.listed_metadata_has_app_id:
            return pb.NamedJob(name=job.name, metadata=job.metadata, job=job.spec)
        return pb.NamedJob(name=job.name, metadata=_metadata_from_key(job), job=job.spec)


class _Queue(asyncio.Queue[Delivery | None]):
    """The deliveries that wait to be sent on a stream of WatchJobs."""

    def deliver(self, delivery: Delivery) -> None:
        """See Watch."""
        self.put_nowait(delivery)

    def end(self) -> None:
        """See Watch."""
        self.put_nowait(None)


def _delivered(delivery: Delivery) -> pb.WatchJobsResponse:
    job = delivery.job
    return pb.WatchJobsResponse(
        name=job.name, id=delivery.delivery_id, data=job.spec.data, metadata=job.metadata
    )


def _metadata_from_key(job: Job) -> pb.JobMetadata:
    """Return what 1.16 reads back from a key alone: no app id for a reminder, no concurrency key.

    Like it, fail where an actor id with the separator makes the key ambiguous.
    """
    sent = job.metadata
    if sent.target.WhichOneof("type") == "job":
        return pb.JobMetadata(app_id=sent.app_id, namespace=sent.namespace, target=sent.target)
    if len(job.key.split(SEPARATOR)) != _SEGMENTS_OF_A_REMINDER:
        raise RequestError(
            grpc.StatusCode.UNKNOWN,
            f"failed to parse job metadata: invalid key: dapr/jobs/{job.key}",
        )
    return pb.JobMetadata(namespace=sent.namespace, target=sent.target)
