"""A new instance from the history of one that has ended, up to one of its events.

As Dapr's source does it, which was not recorded; children are refused. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.wrappers_pb2 import StringValue

from sidecar.engine.decision import Outcome
from sidecar.engine.events import timestamp
from sidecar.engine.instance import Instance, completion, start
from sidecar.errors import RefusedError
from sidecar.protos import HistoryEvent, service_pb2


@dataclass(frozen=True, slots=True)
class Rerun:
    """What is asked for.

    Attributes:
        source_id: Whose history is taken.
        new_id: Of the instance to make.
        event_id: The event, of an activity or a timer, that is done again.
        overwrite_input: Whether the activity gets `input` in place of its own.
        input: None for no input.
    """

    source_id: str
    new_id: str
    event_id: int
    overwrite_input: bool
    input: StringValue | None


@dataclass(slots=True)
class _Fork:
    """History that is kept, and what is still open at the event."""

    history: list[HistoryEvent] = field(default_factory=list)
    activities: dict[int, HistoryEvent] = field(default_factory=dict)
    timers: dict[int, HistoryEvent] = field(default_factory=dict)
    children: dict[int, HistoryEvent] = field(default_factory=dict)

    def keep(self, each: HistoryEvent) -> None:
        """Take up one event before the one that is done again.

        A task's beginning joins the history with its end. A timer's never does: each is set again.
        """
        kind = each.WhichOneof("eventType")
        if kind == "taskScheduled":
            self.activities[each.eventId] = each
        elif kind == "timerCreated":
            self.timers[each.eventId] = each
        elif kind == "childWorkflowInstanceCreated":
            self.children[each.eventId] = each
        else:
            if kind in ("taskCompleted", "taskFailed"):
                self._close(self.activities, getattr(each, kind).taskScheduledId)
            if kind in ("childWorkflowInstanceCompleted", "childWorkflowInstanceFailed"):
                self._close(self.children, getattr(each, kind).taskScheduledId)
            self.history.append(each)

    def _close(self, opened: dict[int, HistoryEvent], task_id: int) -> None:
        if (begun := opened.pop(task_id, None)) is not None:
            self.history.append(begun)


def parse(request: service_pb2.RerunWorkflowFromEventRequest, new_id: Callable[[], str]) -> Rerun:
    """Read a request; RefusedError names what is wrong with it.

    Args:
        request: As it came.
        new_id: Makes an id where the request has none.
    """
    if not request.sourceInstanceID:
        raise RefusedError("INVALID_ARGUMENT", "rerun workflow source instance ID is required")
    chosen = request.newInstanceID if request.HasField("newInstanceID") else new_id()
    if chosen == request.sourceInstanceID:
        text = "rerun workflow instance ID must be different from the original instance ID"
        raise RefusedError("INVALID_ARGUMENT", text)
    if request.HasField("newChildWorkflowInstanceID"):
        raise _no_children()
    return Rerun(
        source_id=request.sourceInstanceID,
        new_id=chosen,
        event_id=request.eventID,
        overwrite_input=request.overwriteInput,
        input=request.input if request.HasField("input") else None,
    )


def fork(asked: Rerun, source: Instance | None, now_ns: int) -> Outcome:
    """Return the new instance's state, and what is to be done again from `now_ns` on.

    Raises:
        RefusedError: There is nothing to begin from, or it is not supported.
    """
    state = _source(asked, source)
    forked = _Fork()
    for each in state.history:
        if each.eventId == asked.event_id:
            target = _again(asked, each)
            break
        forked.keep(each)
    else:
        text = f"does not have history event with ID '{asked.event_id}'"
        raise RefusedError("NOT_FOUND", text)
    if forked.children:
        raise _no_children()
    # Copies: the source's own events stay as they are.
    opened = [HistoryEvent.FromString(each.SerializeToString()) for each in _opened(forked)]
    opened.append(target)
    for each in opened:
        each.timestamp.CopyFrom(timestamp(now_ns))
    return Outcome(
        state=Instance(history=(*forked.history, *opened)),
        activities=tuple(each for each in opened if each.HasField("taskScheduled")),
        timers=tuple(each for each in opened if each.HasField("timerCreated")),
    )


def _opened(forked: _Fork) -> tuple[HistoryEvent, ...]:
    return (*forked.activities.values(), *forked.timers.values())


def _source(asked: Rerun, source: Instance | None) -> Instance:
    if source is None:
        text = f"workflow instance does not exist with ID '{asked.source_id}'"
        raise RefusedError("NOT_FOUND", text)
    if completion(source.history) is None:
        text = f"'{asked.source_id}' is not in a terminal state"
        raise RefusedError("INVALID_ARGUMENT", text)
    started = start(source.history)
    if started is not None and started.executionStarted.HasField("parentInstance"):
        text = f"'{asked.source_id}': cannot rerun from child-workflows"
        raise RefusedError("INVALID_ARGUMENT", text)
    return source


def _again(asked: Rerun, event: HistoryEvent) -> HistoryEvent:
    again = HistoryEvent.FromString(event.SerializeToString())
    kind = again.WhichOneof("eventType") or ""
    if kind == "childWorkflowInstanceCreated":
        raise _no_children()
    if kind not in ("taskScheduled", "timerCreated"):
        name = f"*protos.HistoryEvent_{kind[:1].upper()}{kind[1:]}"
        text = f"target event '{name}' with ID '{asked.event_id}' is not an event that can be rerun"
        raise RefusedError("NOT_FOUND", text)
    getattr(again, kind).rerunParentInstanceInfo.instanceID = asked.source_id
    if asked.overwrite_input:
        if kind == "timerCreated":
            text = f"cannot write input to timer event '{asked.event_id}'"
            raise RefusedError("INVALID_ARGUMENT", text)
        again.taskScheduled.ClearField("input")
        if asked.input is not None:
            again.taskScheduled.input.CopyFrom(asked.input)
    return again


def _no_children() -> RefusedError:
    text = "a rerun with child workflows is not supported by the embedded sidecar"
    return RefusedError("UNIMPLEMENTED", text)
