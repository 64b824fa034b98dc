"""The logic of a turn, without any I/O."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine import events, turn
from sidecar.engine.instance import Instance, completion, runtime_status
from sidecar.protos import (
    ORCHESTRATION_STATUS_COMPLETED,
    ORCHESTRATION_STATUS_CONTINUED_AS_NEW,
    ORCHESTRATION_STATUS_FAILED,
    HistoryEvent,
    WorkflowAction,
    service_pb2,
)

NOW_NS = 1_700_000_000_000_000_000
RULES = turn.Rules(
    app_id="lab",
    timer_origin_recorded=True,
    parent_execution_told=True,
    versions_kept=True,
    propagation_exists=True,
    new_id=lambda: "fresh",
)


def _started(**body: object) -> HistoryEvent:
    instance = {"instanceId": "w", "executionId": {"value": "one"}}
    return events.event(
        NOW_NS, executionStarted={"name": "flow", "workflowInstance": instance, **body}
    )


def _finish(state: Instance, *actions: WorkflowAction) -> turn.Outcome:
    response = service_pb2.WorkflowResponse(instanceId="w", actions=actions)
    return turn.finish(turn.begin("w", state, NOW_NS), state, response, RULES, NOW_NS)


def _action(action_id: int, **kind: Any) -> WorkflowAction:
    return WorkflowAction(id=action_id, **kind)


def _task(task_id: int) -> WorkflowAction:
    return _action(task_id, scheduleTask={"name": "act", "taskExecutionId": "x"})


def _end(status: int, **body: object) -> WorkflowAction:
    return _action(9, completeWorkflow={"workflowStatus": status, **body})


def test_a_turn_processes_the_whole_inbox_after_an_opening_event() -> None:
    """The news begin with workflowStarted; the past is the history."""
    state = Instance(inbox=(_started(),))
    asked = turn.begin("w", state, NOW_NS)
    assert [each.WhichOneof("eventType") for each in asked.new] == [
        "workflowStarted",
        "executionStarted",
    ]
    assert asked.past == ()


def test_what_a_turn_decides_is_in_the_history_and_to_be_carried_out() -> None:
    """Each task is recorded under its action's id and scheduled once; the inbox is empty."""
    outcome = _finish(Instance(inbox=(_started(),)), _task(1), _task(2))
    assert [each.eventId for each in outcome.activities] == [1, 2]
    assert outcome.state.history[-2:] == outcome.activities
    assert outcome.state.inbox == ()


@pytest.mark.parametrize(
    "action",
    [
        _action(1, createDetachedWorkflow={"instanceId": "d"}),
        _action(1, scheduleTask={"name": "a", "historyPropagationScope": 1}),
        _action(1, createChildWorkflow={"name": "a", "historyPropagationScope": 1}),
        _action(1, scheduleTask={"name": "a"}, router={"sourceAppID": "lab", "targetAppID": "far"}),
    ],
)
def test_an_action_that_is_not_supported_fails_the_workflow_and_says_so(
    action: WorkflowAction,
) -> None:
    """Nothing is dropped in silence, and nothing else of that turn is carried out."""
    outcome = _finish(Instance(inbox=(_started(),)), _task(5), action)
    ended = completion(outcome.state.history)
    assert ended is not None
    assert ended.executionCompleted.workflowStatus == ORCHESTRATION_STATUS_FAILED
    message = ended.executionCompleted.failureDetails.errorMessage
    assert message.endswith("not supported by the embedded sidecar")
    assert outcome.activities == ()


def test_continue_as_new_begins_a_generation_with_an_empty_past() -> None:
    """The next turn follows at once, with the new input and a new execution id."""
    again = _end(ORCHESTRATION_STATUS_CONTINUED_AS_NEW, result={"value": "2"})
    outcome = _finish(Instance(inbox=(_started(),)), again)
    assert outcome.next_turn is not None
    begun = outcome.next_turn.new[1].executionStarted
    assert (begun.name, begun.input.value) == ("flow", "2")
    assert begun.workflowInstance.executionId.value == "fresh"
    assert outcome.next_turn.past == ()
    assert outcome.state.generation == 2


def test_a_parent_is_told_how_its_child_ended() -> None:
    """The message names the parent's task."""
    parent = {"taskScheduledId": 4, "workflowInstance": {"instanceId": "p"}, "appID": "lab"}
    state = Instance(inbox=(_started(parentInstance=parent),))
    (message,) = _finish(
        state, _end(ORCHESTRATION_STATUS_COMPLETED, result={"value": "7"})
    ).messages
    told = message.event.childWorkflowInstanceCompleted
    assert (message.instance_id, told.taskScheduledId, told.result.value) == ("p", 4, "7")


def test_termination_reaches_the_children_that_run() -> None:
    """A child that has ended is left alone."""
    made = [
        events.event(NOW_NS, event_id=n, childWorkflowInstanceCreated={"instanceId": f"c{n}"})
        for n in (1, 2)
    ]
    ended = events.event(NOW_NS, childWorkflowInstanceCompleted={"taskScheduledId": 1})
    stop = events.event(NOW_NS, executionTerminated={"recurse": True})
    state = Instance(history=(_started(), *made, ended), inbox=(stop,))
    outcome = _finish(state, _end(ORCHESTRATION_STATUS_COMPLETED))
    assert [each.instance_id for each in outcome.messages] == ["c2"]


@given(st.lists(st.integers(1, 4), max_size=12), st.lists(st.booleans(), max_size=12))
def test_a_task_is_answered_once_however_often_its_result_comes(
    results: list[int], turns: list[bool]
) -> None:
    """Over any order of results and turns, the history answers each task at most once."""
    state = _finish(Instance(inbox=(_started(),)), *map(_task, range(1, 5))).state
    for task_id, take_turn in zip(results, turns + [False] * len(results), strict=False):
        result = events.event(NOW_NS, taskCompleted={"taskScheduledId": task_id})
        state = state if state.knows(result) else state.with_event(result)
        state = _finish(state).state if take_turn else state
    answered = [events.answers(each) for each in (*state.history, *state.inbox)]
    tasks = [each for each in answered if each and each[0] == "task"]
    assert sorted(tasks) == sorted({("task", each) for each in results})


def test_a_history_without_its_start_is_pending_whatever_it_holds() -> None:
    """So the status of a workflow whose first rows have expired is PENDING, even at its end."""
    outcome = _finish(Instance(inbox=(_started(),)), _end(ORCHESTRATION_STATUS_COMPLETED))
    assert runtime_status(outcome.state.history) == ORCHESTRATION_STATUS_COMPLETED
    assert runtime_status(outcome.state.history[2:]) != ORCHESTRATION_STATUS_COMPLETED
