"""What is read off a history is the same, however it came to be and however long it is."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine import events
from sidecar.engine.history import History
from sidecar.engine.instance import Instance, completion, runtime_status, start
from sidecar.protos import HistoryEvent

_IDS = st.integers(0, 4)
_MOST_IN_A_TURN = 30


def _event(kind: str, task_id: int) -> HistoryEvent:
    body: dict[str, Any] = {}
    if kind == "timerFired":
        body["timerId"] = task_id
    elif kind in ("taskCompleted", "taskFailed", "childWorkflowInstanceCompleted"):
        body["taskScheduledId"] = task_id
    event_id = task_id if kind in ("taskScheduled", "timerCreated") else events.NO_ID
    fields: Any = {kind: body}
    return HistoryEvent(eventId=event_id, **fields)


_EVENTS = st.builds(
    _event,
    st.sampled_from(
        (
            *("workflowStarted", "executionStarted", "executionCompleted", "executionSuspended"),
            *("executionResumed", "executionStalled", "taskScheduled", "taskCompleted"),
            *("taskFailed", "timerCreated", "timerFired", "childWorkflowInstanceCompleted"),
        )
    ),
    _IDS,
)


@given(
    turns=st.lists(st.lists(_EVENTS, max_size=_MOST_IN_A_TURN), max_size=8),
    looked=st.sets(st.integers(0, 8)),
    new=_EVENTS,
)
def test_a_grown_history_tells_what_a_plain_one_tells(
    turns: list[list[HistoryEvent]], looked: set[int], new: HistoryEvent
) -> None:
    """Each look agrees with one at all the events, wherever in its growth it was looked at."""
    grown = History()
    for number, added in enumerate(turns):
        grown = grown.followed_by(added)
        if number in looked:
            completion(grown)
    plain = tuple(grown)
    assert plain == tuple(each for added in turns for each in added)
    assert completion(grown) is completion(plain)
    assert start(grown) is start(plain)
    assert runtime_status(grown) == runtime_status(plain)
    state = Instance(history=grown)
    assert state.history is grown
    answer = events.answers(new)
    known = answer is not None and any(events.answers(each) == answer for each in plain)
    assert state.knows(new) == known
    questions = [each for each in plain if events.asks_for(each, new)]
    unasked = answer is not None and answer[0] != "start" and start(plain) and not questions
    assert state.never_asked(new) == bool(unasked)


def test_two_continuations_of_a_history_know_nothing_of_each_other() -> None:
    """A turn that is taken again after it was lost finds only its own events."""
    past = History([_event("workflowStarted", 0)] * 100)
    assert completion(past) is None
    ended = past.followed_by([_event("executionCompleted", 0)])
    other = past.followed_by([_event("taskCompleted", 1)])
    assert completion(ended) is not None
    assert completion(other) is None
    assert Instance(history=other).knows(_event("taskFailed", 1))
    assert not Instance(history=ended).knows(_event("taskFailed", 1))
