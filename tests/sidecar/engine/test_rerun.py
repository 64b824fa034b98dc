"""A new instance from an event of another's history."""

from typing import Any

import pytest

from sidecar.engine import events, rerun
from sidecar.engine.decision import Outcome
from sidecar.engine.instance import Instance
from sidecar.errors import RefusedError
from sidecar.protos import ORCHESTRATION_STATUS_COMPLETED, HistoryEvent, service_pb2

OLD_NS, NEW_NS = 1_600_000_000_000_000_000, 1_700_000_000_000_000_000


def event(event_id: int = -1, **kind: Any) -> HistoryEvent:
    return events.event(OLD_NS, event_id=event_id, **kind)


STARTED = event(executionStarted={"name": "flow"})
TASKS = (
    event(workflowStarted={}),
    STARTED,
    event(1, taskScheduled={"name": "one", "input": {"value": "1"}}),
    event(2, timerCreated={"fireAt": {"seconds": 5}}),
    event(workflowStarted={}),
    event(taskCompleted={"taskScheduledId": 1}),
    event(3, taskScheduled={"name": "two"}),
    event(4, taskScheduled={"name": "three", "input": {"value": "3"}}),
)
ENDED = event(5, executionCompleted={"workflowStatus": ORCHESTRATION_STATUS_COMPLETED})


def asked(event_id: int = 4, **more: Any) -> rerun.Rerun:
    request = service_pb2.RerunWorkflowFromEventRequest(
        sourceInstanceID="old", eventID=event_id, **more
    )
    return rerun.parse(request, lambda: "made-up")


def fork(event_id: int = 4, *history: HistoryEvent, **more: Any) -> Outcome:
    source = Instance(history=history or (*TASKS, ENDED))
    return rerun.fork(asked(event_id, **more), source, NEW_NS)


def ids(found: tuple[HistoryEvent, ...]) -> list[int]:
    return [each.eventId for each in found]


def test_history_up_to_the_event_and_what_is_open_there() -> None:
    """Ended tasks are kept, open ones and the event itself are scheduled anew, timers are set."""
    forked = fork()
    kinds = [each.WhichOneof("eventType") for each in forked.state.history]
    assert kinds == [
        *("workflowStarted", "executionStarted", "workflowStarted"),
        *("taskScheduled", "taskCompleted"),
        *("taskScheduled", "timerCreated", "taskScheduled"),
    ]
    assert ids(forked.activities) == [3, 4]
    assert ids(forked.timers) == [2]
    assert forked.state.generation == 1
    assert not forked.state.inbox


def test_what_is_done_again_is_of_now_and_names_its_source() -> None:
    """The event has the new time and the source's id; the source's own events stay as they were."""
    target = fork().activities[-1]
    assert target.timestamp == events.timestamp(NEW_NS)
    assert target.taskScheduled.rerunParentInstanceInfo.instanceID == "old"
    assert TASKS[-1].timestamp == events.timestamp(OLD_NS)
    assert not TASKS[-1].taskScheduled.HasField("rerunParentInstanceInfo")


def test_the_input_is_replaced_only_when_that_is_asked_for() -> None:
    """`overwriteInput` takes the given input, or none; without it the old one is kept."""
    given: dict[str, Any] = {"input": {"value": "9"}}
    assert fork(**given).activities[-1].taskScheduled.input.value == "3"
    replaced = fork(overwriteInput=True, **given).activities[-1].taskScheduled
    assert replaced.input.value == "9"
    assert not fork(overwriteInput=True).activities[-1].taskScheduled.HasField("input")


def test_ids_of_the_new_instance() -> None:
    """One is made up where none is given; the source's own is refused."""
    assert asked().new_id == "made-up"
    assert asked(newInstanceID="mine").new_id == "mine"
    with pytest.raises(RefusedError, match="must be different from the original") as refused:
        asked(newInstanceID="old")
    assert refused.value.code == "INVALID_ARGUMENT"


CHILD = event(1, childWorkflowInstanceCreated={"instanceId": "old:0001", "name": "kid"})
OF_A_PARENT = event(executionStarted={"name": "kid", "parentInstance": {"taskScheduledId": 1}})


@pytest.mark.parametrize(
    ("event_id", "history", "code", "text"),
    [
        (4, TASKS, "INVALID_ARGUMENT", "'old' is not in a terminal state"),
        (77, (*TASKS, ENDED), "NOT_FOUND", "does not have history event with ID '77'"),
        (5, (*TASKS, ENDED), "NOT_FOUND", "'*protos.HistoryEvent_ExecutionCompleted' with ID '5'"),
        (1, (STARTED, CHILD, ENDED), "UNIMPLEMENTED", "a rerun with child workflows"),
        (4, (STARTED, CHILD, TASKS[-1], ENDED), "UNIMPLEMENTED", "a rerun with child workflows"),
        (4, (OF_A_PARENT, TASKS[-1], ENDED), "INVALID_ARGUMENT", "cannot rerun from child-work"),
    ],
    ids=["running", "no such event", "no task", "child", "open child", "of a parent"],
)
def test_refusals(event_id: int, history: tuple[HistoryEvent, ...], code: str, text: str) -> None:
    """Each is told with code and words of Dapr's source; children are not supported."""
    with pytest.raises(RefusedError) as refused:
        fork(event_id, *history)
    assert refused.value.code == code
    assert text in str(refused.value)


def test_a_timer_takes_no_input() -> None:
    """An input for a timer is refused."""
    with pytest.raises(RefusedError, match="cannot write input to timer event '2'"):
        fork(2, overwriteInput=True)


def test_an_unknown_source() -> None:
    """It is NOT_FOUND."""
    with pytest.raises(RefusedError, match="workflow instance does not exist with ID 'old'"):
        rerun.fork(asked(), None, NEW_NS)
