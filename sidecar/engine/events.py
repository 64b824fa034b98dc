"""Builds history events the way Dapr writes them. Pure: the clock's reading is an argument."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.protos import HistoryEvent, service_pb2

_NS_PER_S = 1_000_000_000
NO_ID = -1


def timestamp(at_ns: int) -> Timestamp:
    """Return nanoseconds since the epoch as a protobuf timestamp."""
    seconds, nanos = divmod(at_ns, _NS_PER_S)
    return Timestamp(seconds=seconds, nanos=nanos)


def event(now_ns: int, *, event_id: int = NO_ID, router: str = "", **kind: Any) -> HistoryEvent:
    """Return a history event; `kind` is the one field of its oneof, as a mapping or message.

    Args:
        now_ns: Nanoseconds since the epoch.
        event_id: The action's id, or -1 where the event answers no action.
        router: The sending app's id, for the events that carry one.
        **kind: For example `workflowStarted={}`.
    """
    made = HistoryEvent(eventId=event_id, timestamp=timestamp(now_ns), **kind)
    if router:
        made.router.sourceAppID = router
    return made


def activity_result(
    scheduled: HistoryEvent, response: service_pb2.ActivityResponse, now_ns: int, app_id: str
) -> HistoryEvent:
    """Return `taskCompleted` or `taskFailed` for what an app answered to `scheduled`."""
    ids = {
        "taskScheduledId": scheduled.eventId,
        "taskExecutionId": scheduled.taskScheduled.taskExecutionId,
    }
    if response.HasField("failureDetails"):
        failed = ids | {"failureDetails": response.failureDetails}
        return event(now_ns, router=app_id, taskFailed=failed)
    completed: dict[str, Any] = dict(ids)
    if response.HasField("result"):
        completed["result"] = response.result
    return event(now_ns, router=app_id, taskCompleted=completed)


def timer_fired(created: HistoryEvent, now_ns: int) -> HistoryEvent:
    """Return what the firing of the timer that `created` made adds to the history."""
    fired = {"timerId": created.eventId, "fireAt": created.timerCreated.fireAt}
    return event(now_ns, timerFired=fired)


def is_duplicate(known: HistoryEvent, new: HistoryEvent) -> bool:
    """Tell whether `new` answers what `known` has answered already."""
    return (answer := answers(new)) is not None and answers(known) == answer


def answers(each: HistoryEvent) -> tuple[str, int] | None:
    """Return which task or timer an event answers; None when it answers none."""
    kind = each.WhichOneof("eventType")
    if kind in ("taskCompleted", "taskFailed"):
        return ("task", getattr(each, kind).taskScheduledId)
    if kind in ("childWorkflowInstanceCompleted", "childWorkflowInstanceFailed"):
        return ("child", getattr(each, kind).taskScheduledId)
    if kind == "timerFired":
        return ("timer", each.timerFired.timerId)
    return ("start", 0) if kind == "executionStarted" else None


def asks_for(question: HistoryEvent, answer: HistoryEvent) -> bool:
    """Tell whether `answer` is to `question`: of its kind, of its id, and of its execution.

    An activity's execution id is the same in all its attempts. Apps may send none.
    """
    asked = _QUESTIONS.get(question.WhichOneof("eventType"))
    if asked is None or (asked, question.eventId) != answers(answer):
        return False
    if asked != "task":
        return True
    expected = question.taskScheduled.taskExecutionId
    told = getattr(answer, str(answer.WhichOneof("eventType"))).taskExecutionId
    return not expected or not told or bool(expected == told)


_QUESTIONS: dict[str | None, str] = {
    "taskScheduled": "task",
    "timerCreated": "timer",
    "childWorkflowInstanceCreated": "child",
}


def has_version(each: HistoryEvent) -> bool:
    """Tell whether an event is the `workflowStarted` of a turn that keeps a version or patches."""
    return each.HasField("workflowStarted") and each.workflowStarted.HasField("version")
