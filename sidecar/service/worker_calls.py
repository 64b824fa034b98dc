"""The calls of app workers: the stream of work items, and their answers."""

from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty

from sidecar.profiles import Profile
from sidecar.protos import service_grpc
from sidecar.protos import service_pb2 as pb
from sidecar.service.answers import Context, require_method
from sidecar.service.late_results import LateResults
from sidecar.workers import Workers


class WorkerCalls(service_grpc.TaskHubSidecarServiceServicer):
    """Hands out work, and takes what has become of it."""

    def __init__(self, workers: Workers, profile: Profile) -> None:
        self._workers = workers
        self._profile = profile
        self._late = LateResults(profile)

    async def Hello(  # noqa: N802 - the wire's name
        self, _request: Empty, _context: Context
    ) -> Empty:
        """Say that the sidecar is there."""
        return Empty()

    async def GetWorkItems(  # noqa: N802 - the wire's name
        self, _request: pb.GetWorkItemsRequest, context: Context
    ) -> AsyncIterator[pb.WorkItem]:
        """Stream work items to one app worker."""
        worker = self._workers.connect()
        context.add_done_callback(
            lambda _: self._workers.disconnect(worker)  # type: ignore[arg-type]  # gRPC's stub
        )
        async for item in worker.items():
            yield item

    async def CompleteOrchestratorTask(  # noqa: N802 - the wire's name
        self, request: pb.WorkflowResponse, context: Context
    ) -> pb.CompleteTaskResponse:
        """Take the answer to a turn."""
        nobody = f"unknown instance ID: {request.instanceId}"
        await self._workers.answers_flow()
        await self._late.match(lambda: self._workers.turn_done(request), nobody, context)
        return pb.CompleteTaskResponse()

    async def CompleteWorkflowTask(  # noqa: N802 - the wire's name
        self, request: pb.WorkflowResponse, context: Context
    ) -> pb.CompleteTaskResponse:
        """Take the answer to a turn, under its newer name."""
        await require_method(context, exists=self._profile.complete_workflow_task_exists)
        return await self.CompleteOrchestratorTask(request, context)

    async def CompleteActivityTask(  # noqa: N802 - the wire's name
        self, request: pb.ActivityResponse, context: Context
    ) -> pb.CompleteTaskResponse:
        """Take the result of an activity."""
        nobody = f"unknown instance ID/task ID combo: {request.instanceId}/{request.taskId}"
        await self._workers.answers_flow()
        await self._late.match(lambda: self._workers.activity_done(request), nobody, context)
        return pb.CompleteTaskResponse()
