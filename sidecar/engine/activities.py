"""Runs the activities whose reminders come due.

As in Dapr it does not look at the workflow before it hands the activity to the app: whether there
still is a workflow shows when the result is delivered. That is the runaway.
"""

from collections.abc import Awaitable, Callable

import structlog
from google.protobuf.any_pb2 import Any as AnyMessage

from sidecar.engine import events
from sidecar.engine.in_flight import InFlight
from sidecar.errors import (
    ExecutionAbortedError,
    ExecutionCancelledError,
    InstanceNotFoundError,
    SidecarError,
)
from sidecar.metrics import FAILED, Execution, Metrics
from sidecar.names import ACTIVITY_JOB, activity_instance
from sidecar.profiles import Profile
from sidecar.protos import HistoryEvent, service_pb2
from sidecar.reminders.jobs import Jobs, carried_activity
from sidecar.workers import Workers

_LOG = structlog.get_logger(scope="dapr.runtime.actors.targets.activity")
_ENGINE = structlog.get_logger(scope="dapr.wfengine.durabletask.backend")
_CLUSTER = structlog.get_logger(scope="dapr.runtime.scheduler.cluster")
Deliver = Callable[[str, HistoryEvent, HistoryEvent, int], Awaitable[bool]]


class Activities:
    """The activity actors.

    Args:
        app_id: Of the app that is served.
        profile: Says what an undeliverable result does.
        workers: Run the activities.
        jobs: Keep a result that can't be delivered at the moment, on newer versions.
        deliver: Hands a result to a workflow (instance, event, scheduled activity, generation);
            false when no saved turn had asked for it.
        metrics: Count the executions.
        clock_ns: Nanoseconds since the epoch.
    """

    def __init__(
        self,
        *,
        app_id: str,
        profile: Profile,
        workers: Workers,
        jobs: Jobs,
        deliver: Deliver,
        metrics: Metrics,
        clock_ns: Callable[[], int],
    ) -> None:
        self._app_id = app_id
        self._profile = profile
        self._workers = workers
        self._jobs = jobs
        self._deliver = deliver
        self._metrics = metrics
        self._clock_ns = clock_ns
        self._in_flight = InFlight(joined=profile.running_execution_joined)

    async def run(self, actor_id: str, data: AnyMessage) -> bool:
        """Execute one activity and deliver its result; false asks for another execution."""
        scheduled = carried_activity(data)
        is_taken = True

        async def execute() -> bool:
            nonlocal is_taken
            try:
                with self._metrics.activity(scheduled.taskScheduled.name) as execution:
                    is_taken = await self._execute(actor_id, scheduled, execution)
            except SidecarError as error:
                return self._failed(actor_id, error)
            return True

        execution_id = scheduled.taskScheduled.taskExecutionId
        success = await self._in_flight.run(actor_id, execution_id, execute)
        if not is_taken:
            # A turn that was not saved asks again: then its job is to be executed.
            self._in_flight.forget(actor_id, execution_id)
        return success

    async def _execute(self, actor_id: str, scheduled: HistoryEvent, execution: Execution) -> bool:
        """Execute and deliver; return false when the workflow has not taken the result."""
        instance_id = activity_instance(actor_id)
        response = await self._workers.run_activity(_request(instance_id, scheduled))
        execution.answered(failed=response.HasField("failureDetails"))
        result = events.activity_result(scheduled, response, self._clock_ns(), self._app_id)
        generation = int(actor_id.rpartition("::")[2])
        try:
            return await self._deliver(instance_id, result, scheduled, generation)
        except InstanceNotFoundError as error:
            self._lost(actor_id, instance_id, error)
            execution.status = FAILED
        except SidecarError:
            if self._profile.result_reminder != "activity-result":
                raise
            # The result outlives this job in a reminder of the workflow, tried again each second.
            await self._jobs.wake(instance_id, self._profile.result_reminder, carried=result)
            execution.status = None
            return False
        return True

    def _lost(self, actor_id: str, instance_id: str, error: InstanceNotFoundError) -> None:
        if self._profile.lost_instance_result_is_retried:
            raise UndeliverableError(error)
        _LOG.error(
            f"Activity actor '{actor_id}': workflow actor instance not found when reporting "
            f"activity result for workflow with instanceId '{instance_id}': {error}"
        )

    def _failed(self, actor_id: str, error: SidecarError) -> bool:
        if isinstance(error, ExecutionCancelledError):
            _ENGINE.error(f"activity-processor: failed to process work item: {error}")
            _LOG.warning(
                f"{actor_id}: received cancellation signal while waiting for activity execution "
                f"'{ACTIVITY_JOB}'"
            )
            return False
        if isinstance(error, ExecutionAbortedError):
            _ENGINE.error("activity-processor: failed to process work item: operation aborted")
        _LOG.warning(
            f"{actor_id}: execution failed with a recoverable error and will be retried later: "
            f"{error}"
        )
        _CLUSTER.error(
            f"failed to invoke scheduled actor reminder named: {ACTIVITY_JOB} due to: {error}"
        )
        return False


class UndeliverableError(SidecarError):
    """A result has no workflow to go to."""

    def __init__(self, cause: InstanceNotFoundError) -> None:
        super().__init__(f"failed to invoke 'AddWorkflowEvent' method on workflow actor: {cause}")


def _request(instance_id: str, scheduled: HistoryEvent) -> service_pb2.ActivityRequest:
    asked = scheduled.taskScheduled
    request = service_pb2.ActivityRequest(
        name=asked.name, taskId=scheduled.eventId, taskExecutionId=asked.taskExecutionId
    )
    request.workflowInstance.instanceId = instance_id
    if asked.HasField("input"):
        request.input.CopyFrom(asked.input)
    if asked.HasField("version"):
        request.version.CopyFrom(asked.version)
    return request
