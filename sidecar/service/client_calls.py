"""The calls of clients that start, watch and steer workflows."""

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from sidecar.engine.calls import (
    Reached,
    WorkflowCalls,
    has_ended,
    has_started,
    is_running,
    is_suspended,
)
from sidecar.engine.instance import Instance, describe
from sidecar.engine.versioning import version_name
from sidecar.errors import InstanceActiveError, SidecarError
from sidecar.profiles import Profile
from sidecar.protos import service_grpc
from sidecar.protos import service_pb2 as pb
from sidecar.service.answers import Context, or_refused, unknown

# Dapr's own words.
_NO_FILTERED_PURGE = "multi-instance purge is not unimplemented"


class ClientCalls(service_grpc.TaskHubSidecarServiceServicer):
    """Start, get, wait, raise, terminate, suspend, resume and purge."""

    def __init__(self, calls: WorkflowCalls, profile: Profile) -> None:
        self._calls = calls
        self._profile = profile

    async def StartInstance(  # noqa: N802 - the wire's name
        self, request: pb.CreateInstanceRequest, context: Context
    ) -> pb.CreateInstanceResponse:
        """Start an instance; answered after its first turn, but at once when that is put off."""
        try:
            await self._calls.start(request)
        except InstanceActiveError:
            code = grpc.StatusCode[self._profile.duplicate_start_code]
            text = self._profile.duplicate_start_text.format(instance_id=request.instanceId)
            await context.abort(code, text)
        except SidecarError as error:
            await unknown(context, f"{self._profile.start_refusal_prefix}{error}")
        if not request.HasField("scheduledStartTimestamp"):
            await or_refused(context, self._calls.wait(request.instanceId, has_started))
        return pb.CreateInstanceResponse(instanceId=request.instanceId)

    async def GetInstance(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceRequest, context: Context
    ) -> pb.GetInstanceResponse:
        """Return what the store knows of an instance; empty when that is nothing."""
        state = await or_refused(context, self._calls.stored(request.instanceId))
        return pb.GetInstanceResponse() if state is None else self._told(request, state)

    async def WaitForInstanceStart(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceRequest, context: Context
    ) -> pb.GetInstanceResponse:
        """Answer once the instance has begun; an unknown one is waited for."""
        return await self._told_when(request, context, has_started)

    async def WaitForInstanceCompletion(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceRequest, context: Context
    ) -> pb.GetInstanceResponse:
        """Answer once the instance has ended; an unknown one is waited for."""
        return await self._told_when(request, context, has_ended)

    async def RaiseEvent(  # noqa: N802 - the wire's name
        self, request: pb.RaiseEventRequest, context: Context
    ) -> pb.RaiseEventResponse:
        """Give an instance an external event."""
        data = request.input if request.HasField("input") else None
        raised = self._calls.raise_event(request.instanceId, request.name, data)
        await or_refused(context, raised)
        return pb.RaiseEventResponse()

    async def TerminateInstance(  # noqa: N802 - the wire's name
        self, request: pb.TerminateRequest, context: Context
    ) -> pb.TerminateResponse:
        """Have an instance end as TERMINATED; answered when it has."""
        output = request.output if request.HasField("output") else None
        ending = self._calls.terminate(request.instanceId, output, recursive=request.recursive)
        await or_refused(context, ending, "failed to submit termination request: ")
        await or_refused(context, self._calls.wait(request.instanceId, has_ended))
        return pb.TerminateResponse()

    async def SuspendInstance(  # noqa: N802 - the wire's name
        self, request: pb.SuspendRequest, context: Context
    ) -> pb.SuspendResponse:
        """Have an instance pause; answered when it does, or has ended."""
        paused = self._calls.suspend(request.instanceId, _reason(request))
        await or_refused(context, paused)
        await or_refused(context, self._calls.wait(request.instanceId, is_suspended))
        return pb.SuspendResponse()

    async def ResumeInstance(  # noqa: N802 - the wire's name
        self, request: pb.ResumeRequest, context: Context
    ) -> pb.ResumeResponse:
        """Have a paused instance go on; answered when it does, or has ended."""
        resumed = self._calls.resume(request.instanceId, _reason(request))
        await or_refused(context, resumed)
        await or_refused(context, self._calls.wait(request.instanceId, is_running))
        return pb.ResumeResponse()

    async def PurgeInstances(  # noqa: N802 - the wire's name
        self, request: pb.PurgeInstancesRequest, context: Context
    ) -> pb.PurgeInstancesResponse:
        """Delete an instance that has ended; a filter is refused, as by Dapr."""
        if request.HasField("purgeInstanceFilter"):
            await unknown(context, _NO_FILTERED_PURGE)
        purged = self._calls.purge(
            request.instanceId, recursive=request.recursive, force=request.force
        )
        prefix = f"failed to purge {self._profile.workflow_noun} state: "
        deleted = await or_refused(context, purged, prefix)
        return pb.PurgeInstancesResponse(deletedInstanceCount=deleted)

    async def _told_when(
        self, request: pb.GetInstanceRequest, context: Context, reached: Reached
    ) -> pb.GetInstanceResponse:
        waiting = self._calls.wait(request.instanceId, reached)
        return self._told(request, await or_refused(context, waiting))

    def _told(self, request: pb.GetInstanceRequest, state: Instance) -> pb.GetInstanceResponse:
        told = describe(
            request.instanceId,
            state,
            with_payloads=request.getInputsAndOutputs,
            with_started_at=self._profile.start_of_first_turn_told,
        )
        if self._profile.start_of_first_turn_told and (name := version_name(state.history)):
            told.version.value = name
        return pb.GetInstanceResponse(exists=True, workflowState=told)


def _reason(request: pb.SuspendRequest | pb.ResumeRequest) -> StringValue | None:
    return request.reason if request.HasField("reason") else None
