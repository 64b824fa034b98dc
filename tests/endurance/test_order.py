"""Any order of answers, repeated answers and turns whose save fails leaves a history that holds."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine import events, turn
from sidecar.engine.instance import Instance
from sidecar.protos import HistoryEvent, WorkflowAction, service_pb2
from tests.endurance.rows import order_faults
from tests.sidecar.engine.test_turn import RULES

NOW_NS = 10**18
STARTED = events.event(NOW_NS, executionStarted={"name": "flow"})
KINDS = ("task", "timer", "child")
# Which kinds a turn asks for, whether it is saved, and which of the answers there are come next.
Step = tuple[list[str], bool, list[int]]
STEPS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(KINDS), max_size=3),
        st.booleans(),
        st.lists(st.integers(0, 20), max_size=4),
    ),
    max_size=8,
)


def _action(number: int, kind: str, attempt: int) -> WorkflowAction:
    asked: dict[str, Any] = {
        "task": {"scheduleTask": {"name": "act", "taskExecutionId": f"{number}/{attempt}"}},
        "timer": {"createTimer": {}},
        "child": {"createChildWorkflow": {"instanceId": f"kid-{number}"}},
    }
    return WorkflowAction(id=number, **asked[kind])


def _answer(asked: HistoryEvent) -> HistoryEvent:
    ids: dict[str, Any] = {"taskScheduledId": asked.eventId}
    if asked.HasField("taskScheduled"):
        told = {"taskExecutionId": asked.taskScheduled.taskExecutionId}
        return events.event(NOW_NS, taskCompleted=ids | told)
    if asked.HasField("timerCreated"):
        return events.timer_fired(asked, NOW_NS)
    return events.event(NOW_NS, childWorkflowInstanceCompleted=ids)


def _taken(state: Instance, answers: Sequence[HistoryEvent]) -> Instance:
    for each in answers:
        if not state.knows(each) and not state.never_asked(each):
            state = state.with_event(each)
    return state


@given(STEPS)
def test_each_task_is_asked_for_once_and_answered_at_most_once_and_afterwards(
    steps: list[Step],
) -> None:
    """Though jobs of turns that were never saved answer as well, in any order, again and again."""
    state = Instance(inbox=(STARTED,))
    answers: list[HistoryEvent] = []
    for attempt, (kinds, is_saved, chosen) in enumerate(steps):
        first = 1 + max((each.eventId for each in state.history if each.eventId > 0), default=0)
        actions = [_action(first + n, kind, attempt) for n, kind in enumerate(kinds)]
        outcome = turn.finish(
            turn.begin("w", state, NOW_NS),
            state,
            service_pb2.WorkflowResponse(instanceId="w", actions=actions),
            RULES,
            NOW_NS,
        )
        asked = [each for each in outcome.state.history if each.eventId >= first]
        answers += [_answer(each) for each in asked]
        if is_saved:
            state = outcome.state
        if answers:
            state = _taken(state, [answers[each % len(answers)] for each in chosen])
    assert order_faults((*state.history, *state.inbox)) == []
