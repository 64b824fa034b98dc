"""The gRPC face of the sidecar: `TaskHubSidecarService`, as the Dapr SDKs call it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.empty_pb2 import Empty

from sidecar.engine import Engine
from sidecar.errors import InstanceActiveError, SidecarError
from sidecar.instance import Instance, completion, describe, runtime_status
from sidecar.profiles import Profile
from sidecar.protos import ORCHESTRATION_STATUS_PENDING, service_grpc
from sidecar.protos import service_pb2 as pb
from sidecar.workers import Workers

if TYPE_CHECKING:
    # Generic in the type stubs alone.
    _Context = grpc.aio.ServicerContext[Any, Any]
else:
    _Context = grpc.aio.ServicerContext

_LOG = structlog.get_logger(scope="dapr.wfengine.backend.actors")
_Result = TypeVar("_Result")
_NO_PROXY = "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found"
# How daprd 1.16 asks again for a pending item: half a second, half as long again each time, ±50 %.
_FIRST_RETRY_S = 0.5
_RETRY_FACTOR = 1.5
_RETRY_JITTER = 0.5
_LONGEST_RETRY_S = 60.0
_MOST_LATE_RESULTS = 10_000


class SidecarService(service_grpc.TaskHubSidecarServiceServicer):
    """Answers the calls of apps and clients; refusals have the codes and words of the profile.

    What changes state runs on when its caller goes away.
    """

    def __init__(self, engine: Engine, workers: Workers, profile: Profile) -> None:
        self._engine = engine
        self._workers = workers
        self._profile = profile
        self._noun = profile.workflow_noun
        self._late_results = 0

    async def Hello(  # noqa: N802 - the wire's name
        self, _request: Empty, _context: _Context
    ) -> Empty:
        """Say that the sidecar is there."""
        return Empty()

    async def GetWorkItems(  # noqa: N802 - the wire's name
        self, _request: pb.GetWorkItemsRequest, context: _Context
    ) -> AsyncIterator[pb.WorkItem]:
        """Stream work items to one app worker."""
        worker = self._workers.connect()
        context.add_done_callback(
            lambda _: self._workers.disconnect(worker)  # type: ignore[arg-type]  # gRPC's stub
        )
        async for item in worker.items():
            yield item

    async def CompleteOrchestratorTask(  # noqa: N802 - the wire's name
        self, request: pb.WorkflowResponse, context: _Context
    ) -> pb.CompleteTaskResponse:
        """Take the answer to a turn."""
        unknown = f"unknown instance ID: {request.instanceId}"
        await self._match(lambda: self._workers.turn_done(request), unknown, context)
        return pb.CompleteTaskResponse()

    async def CompleteWorkflowTask(  # noqa: N802 - the wire's name
        self, request: pb.WorkflowResponse, context: _Context
    ) -> pb.CompleteTaskResponse:
        """Take the answer to a turn, under its newer name."""
        await self._require_workflow_calls(context)
        return await self.CompleteOrchestratorTask(request, context)

    async def CompleteActivityTask(  # noqa: N802 - the wire's name
        self, request: pb.ActivityResponse, context: _Context
    ) -> pb.CompleteTaskResponse:
        """Take the result of an activity."""
        unknown = f"unknown instance ID/task ID combo: {request.instanceId}/{request.taskId}"
        await self._match(lambda: self._workers.activity_done(request), unknown, context)
        return pb.CompleteTaskResponse()

    async def StartInstance(  # noqa: N802 - the wire's name
        self, request: pb.CreateInstanceRequest, context: _Context
    ) -> pb.CreateInstanceResponse:
        """Start an instance; answered after its first turn."""
        try:
            await _to_the_end(self._engine.start(request))
        except InstanceActiveError:
            code = grpc.StatusCode[self._profile.duplicate_start_code]
            text = self._profile.duplicate_start_text.format(instance_id=request.instanceId)
            await context.abort(code, text)
        except SidecarError as error:
            await _unknown(context, f"failed to create {self._noun} instance: {error}")
        await self._engine.wait(request.instanceId, _has_started)
        return pb.CreateInstanceResponse(instanceId=request.instanceId)

    async def GetInstance(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceRequest, context: _Context
    ) -> pb.GetInstanceResponse:
        """Return what the store knows of an instance; empty when that is nothing."""
        state = await _or_unknown(context, self._engine.stored(request.instanceId))
        return pb.GetInstanceResponse() if state is None else self._told(request, state)

    async def WaitForInstanceStart(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceRequest, context: _Context
    ) -> pb.GetInstanceResponse:
        """Answer once the instance has begun; an unknown one is waited for."""
        waiting = self._engine.wait(request.instanceId, _has_started)
        return self._told(request, await _or_unknown(context, waiting))

    async def WaitForInstanceCompletion(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceRequest, context: _Context
    ) -> pb.GetInstanceResponse:
        """Answer once the instance has ended; an unknown one is waited for."""
        waiting = self._engine.wait(request.instanceId, _has_ended)
        return self._told(request, await _or_unknown(context, waiting))

    async def RaiseEvent(  # noqa: N802 - the wire's name
        self, request: pb.RaiseEventRequest, context: _Context
    ) -> pb.RaiseEventResponse:
        """Give an instance an external event."""
        raised: dict[str, object] = {"name": request.name}
        if request.HasField("input"):
            raised["input"] = request.input
        await self._event(context, request.instanceId, "", eventRaised=raised)
        return pb.RaiseEventResponse()

    async def TerminateInstance(  # noqa: N802 - the wire's name
        self, request: pb.TerminateRequest, context: _Context
    ) -> pb.TerminateResponse:
        """Have an instance end as TERMINATED."""
        ending: dict[str, object] = {"recurse": request.recursive}
        if request.HasField("output"):
            ending["input"] = request.output
        prefix = "failed to submit termination request: "
        await self._event(context, request.instanceId, prefix, executionTerminated=ending)
        return pb.TerminateResponse()

    async def SuspendInstance(  # noqa: N802 - the wire's name
        self, request: pb.SuspendRequest, context: _Context
    ) -> pb.SuspendResponse:
        """Have an instance pause."""
        paused = {"input": request.reason} if request.HasField("reason") else {}
        await self._event(context, request.instanceId, "", executionSuspended=paused)
        return pb.SuspendResponse()

    async def ResumeInstance(  # noqa: N802 - the wire's name
        self, request: pb.ResumeRequest, context: _Context
    ) -> pb.ResumeResponse:
        """Have a paused instance go on."""
        resumed = {"input": request.reason} if request.HasField("reason") else {}
        await self._event(context, request.instanceId, "", executionResumed=resumed)
        return pb.ResumeResponse()

    async def PurgeInstances(  # noqa: N802 - the wire's name
        self, request: pb.PurgeInstancesRequest, context: _Context
    ) -> pb.PurgeInstancesResponse:
        """Delete an instance that has ended."""
        if request.HasField("purgeInstanceFilter"):
            await _unsupported(context, "PurgeInstances with a filter")
        purged = self._engine.purge(
            request.instanceId, recursive=request.recursive, force=request.force
        )
        try:
            return pb.PurgeInstancesResponse(deletedInstanceCount=await _to_the_end(purged))
        except SidecarError as error:
            await _unknown(context, f"failed to purge {self._noun} state: {error}")

    async def GetInstanceHistory(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceHistoryRequest, context: _Context
    ) -> pb.GetInstanceHistoryResponse:
        """Return the stored history."""
        await self._require_workflow_calls(context)
        state = await _or_unknown(context, self._engine.stored(request.instanceId))
        if state is None:
            await _unknown(context, "no such instance exists")
        return pb.GetInstanceHistoryResponse(events=state.history)

    async def ListInstanceIDs(  # noqa: N802 - the wire's name
        self, _request: pb.ListInstanceIDsRequest, context: _Context
    ) -> pb.ListInstanceIDsResponse:
        """Not supported."""
        await self._require_workflow_calls(context)
        await _unsupported(context, "ListInstanceIDs")

    async def RerunWorkflowFromEvent(  # noqa: N802 - the wire's name
        self, _request: pb.RerunWorkflowFromEventRequest, context: _Context
    ) -> pb.RerunWorkflowFromEventResponse:
        """Not supported."""
        await _unsupported(context, "RerunWorkflowFromEvent")

    async def _event(
        self, context: _Context, instance_id: str, prefix: str, **kind: object
    ) -> None:
        try:
            await _to_the_end(self._engine.add_event(instance_id, **kind))
        except SidecarError as error:
            await _unknown(context, f"{prefix}{error}")

    def _told(self, request: pb.GetInstanceRequest, state: Instance) -> pb.GetInstanceResponse:
        told = describe(
            request.instanceId,
            state,
            with_payloads=request.getInputsAndOutputs,
            with_started_at=self._profile.start_of_first_turn_told,
        )
        return pb.GetInstanceResponse(exists=True, workflowState=told)

    async def _require_workflow_calls(self, context: _Context) -> None:
        if not self._profile.workflow_calls_supported:
            await _unknown(context, _NO_PROXY)

    async def _match(self, take: Callable[[], bool], unknown: str, context: _Context) -> None:
        """Match an answer to what waits for it; late answers fare as in the profile's Dapr."""
        if take():
            return
        if not self._profile.late_results_accepted:
            _LOG.warning(f"Ignoring complete task which no longer exists: {unknown}")
            return
        if self._late_results >= _MOST_LATE_RESULTS:
            text = f"{self._late_results} late results wait already"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        self._late_results += 1
        try:
            # Ends with the call: gRPC cancels it at the caller's deadline and when the caller goes.
            delay_s = _FIRST_RETRY_S
            while not take():
                _LOG.warning(f"error completing activity task: {unknown}, retrying...")
                jitter = 1 + random.uniform(-_RETRY_JITTER, _RETRY_JITTER)  # noqa: S311 - no secret
                await asyncio.sleep(delay_s * jitter)
                delay_s = min(delay_s * _RETRY_FACTOR, _LONGEST_RETRY_S)
        finally:
            self._late_results -= 1


def _has_started(state: Instance) -> bool:
    return bool(runtime_status(state.history) != ORCHESTRATION_STATUS_PENDING)


def _has_ended(state: Instance) -> bool:
    return completion(state.history) is not None


async def _to_the_end(work: Coroutine[Any, Any, _Result]) -> _Result:
    return await asyncio.shield(asyncio.create_task(work))


async def _or_unknown(context: _Context, work: Awaitable[_Result]) -> _Result:
    try:
        return await work
    except SidecarError as error:
        await _unknown(context, str(error))


async def _unknown(context: _Context, text: str) -> NoReturn:
    await context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError


async def _unsupported(context: _Context, what: str) -> NoReturn:
    text = f"{what} is not supported by the embedded sidecar"
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)
    raise AssertionError
