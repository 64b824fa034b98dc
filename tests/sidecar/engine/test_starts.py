"""What a parent's start means for the instance of that id."""

from sidecar.engine import events, starts
from sidecar.engine.instance import Instance
from sidecar.protos import ORCHESTRATION_STATUS_COMPLETED, HistoryEvent

NOW_NS = 1_700_000_000_000_000_000
ENDED = events.event(NOW_NS, executionCompleted={"workflowStatus": ORCHESTRATION_STATUS_COMPLETED})


def started(execution: str, parent: str = "", task: int = 1) -> HistoryEvent:
    body: dict[str, object] = {
        "name": "flow",
        "workflowInstance": {"instanceId": "kid", "executionId": {"value": execution}},
    }
    if parent:
        instance = {"instanceId": parent}
        body["parentInstance"] = {"taskScheduledId": task, "workflowInstance": instance}
    return events.event(NOW_NS, executionStarted=body)


def test_what_begins_a_new_execution() -> None:
    """An unknown id, and one that has ended; not the start that began what has ended."""
    new = started("two", "p")
    assert starts.is_new_execution(None, new)
    assert starts.is_new_execution(Instance(history=(started("one", "p"), ENDED)), new)
    assert not starts.is_new_execution(Instance(history=(new, ENDED)), new)
    assert not starts.is_new_execution(Instance(history=(started("one", "p"),)), new)


def test_an_id_is_taken_by_another_ones_instance() -> None:
    """Whether that has no parent, another parent, or is another task's child, while it runs."""
    new = started("two", "p")
    for other in (started("one"), started("one", "q"), started("one", "p", task=2)):
        assert starts.is_taken(Instance(history=(other,)), new)
        assert starts.is_taken(Instance(inbox=(other,)), new)
        assert not starts.is_taken(Instance(history=(other, ENDED)), new)
    assert not starts.is_taken(None, new)
    assert not starts.is_taken(Instance(), new)


def test_a_parent_that_repeats_itself_meets_its_own_child() -> None:
    """The same task's start is no stranger, whatever its execution id."""
    assert not starts.is_taken(Instance(history=(started("one", "p"),)), started("two", "p"))


def test_the_parent_is_told_which_task_failed() -> None:
    """The failure names the id, and goes to the parent's task."""
    parent, told = starts.child_failed("kid", started("two", "p", task=7), NOW_NS)
    failed = told.childWorkflowInstanceFailed
    assert (parent, failed.taskScheduledId) == ("p", 7)
    assert failed.failureDetails.errorType == "WorkflowInstanceAlreadyExists"
    text = "an active workflow with ID 'kid' already exists"
    assert failed.failureDetails.errorMessage == text
