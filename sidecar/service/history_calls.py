"""The calls about what is stored: all instances, one's history, and a new run from a history."""

from sidecar.engine.calls import WorkflowCalls, has_started
from sidecar.profiles import Profile
from sidecar.protos import service_grpc
from sidecar.protos import service_pb2 as pb
from sidecar.service.answers import Context, or_refused, require_method


class HistoryCalls(service_grpc.TaskHubSidecarServiceServicer):
    """List, history and rerun; methods that the profile's Dapr lacks are refused in its words."""

    def __init__(self, calls: WorkflowCalls, profile: Profile) -> None:
        self._calls = calls
        self._profile = profile

    async def GetInstanceHistory(  # noqa: N802 - the wire's name
        self, request: pb.GetInstanceHistoryRequest, context: Context
    ) -> pb.GetInstanceHistoryResponse:
        """Return the stored history."""
        await require_method(context, exists=self._profile.listing_exists)
        events = await or_refused(context, self._calls.history(request.instanceId))
        return pb.GetInstanceHistoryResponse(events=events)

    async def ListInstanceIDs(  # noqa: N802 - the wire's name
        self, request: pb.ListInstanceIDsRequest, context: Context
    ) -> pb.ListInstanceIDsResponse:
        """Return one page of the ids of all instances, sorted by key."""
        await require_method(context, exists=self._profile.listing_exists)
        page = await or_refused(
            context, self._calls.instance_ids(request.pageSize, request.continuationToken)
        )
        return pb.ListInstanceIDsResponse(instanceIds=page.ids, continuationToken=page.token)

    async def RerunWorkflowFromEvent(  # noqa: N802 - the wire's name
        self, request: pb.RerunWorkflowFromEventRequest, context: Context
    ) -> pb.RerunWorkflowFromEventResponse:
        """Run a new instance from an event in the history of one that has ended."""
        await require_method(context, exists=self._profile.rerun_exists)
        new_id = await or_refused(context, self._calls.rerun(request))
        await or_refused(context, self._calls.wait(new_id, has_started))
        return pb.RerunWorkflowFromEventResponse(newInstanceID=new_id)
