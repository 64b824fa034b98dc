"""What the start that a parent sends means for the instance of that id. Pure."""

from sidecar.engine import events
from sidecar.engine.instance import Instance, completion, start
from sidecar.errors import InstanceActiveError
from sidecar.protos import HistoryEvent

# Of the child's failure, as the parent is told it: from the source of Dapr 1.18.3.
_TAKEN = "WorkflowInstanceAlreadyExists"


def is_new_execution(state: Instance | None, started: HistoryEvent) -> bool:
    """Tell whether a carried start begins an instance, or begins it anew after it has ended."""
    if state is None:
        return True
    known = start(state.history) or start(state.inbox)
    if completion(state.history) is None or known is None:
        return False
    # The same start once more, delivered again after a crash, is no new execution.
    instance = known.executionStarted.workflowInstance
    return instance.executionId != started.executionStarted.workflowInstance.executionId


def is_taken(state: Instance | None, started: HistoryEvent) -> bool:
    """Tell whether another one's instance of that id still runs.

    A parent that sends its start again, since it crashed before it had saved its turn, meets its
    own child.
    """
    if state is None or completion(state.history) is not None:
        return False
    known = start(state.history) or start(state.inbox)
    return known is not None and _caller(known) != _caller(started)


def child_failed(instance_id: str, started: HistoryEvent, now_ns: int) -> tuple[str, HistoryEvent]:
    """Return whom to tell that the id is taken, and what."""
    parent = started.executionStarted.parentInstance
    error = InstanceActiveError(instance_id)
    failed = {
        "taskScheduledId": parent.taskScheduledId,
        "failureDetails": {"errorType": _TAKEN, "errorMessage": str(error)},
    }
    told = events.event(now_ns, childWorkflowInstanceFailed=failed)
    return parent.workflowInstance.instanceId, told


def _caller(started: HistoryEvent) -> tuple[str, int]:
    parent = started.executionStarted.parentInstance
    return parent.workflowInstance.instanceId, parent.taskScheduledId
