"""How a workflow's execution ends: completed, failed, terminated, or continued as new."""

from dataclasses import replace
from typing import Any

from sidecar.engine import events
from sidecar.engine.decision import Draft, Outcome, Turn
from sidecar.engine.instance import Instance, start
from sidecar.protos import (
    ORCHESTRATION_STATUS_COMPLETED,
    CompleteWorkflowAction,
    WorkflowAction,
)


def complete(draft: Draft, action: WorkflowAction, ending: CompleteWorkflowAction) -> None:
    """Record the end, and tell the children that still run and the parent."""
    body: dict[str, object] = {"workflowStatus": ending.workflowStatus}
    for name in ("result", "failureDetails"):
        if ending.HasField(name):
            body[name] = getattr(ending, name)
    draft.add(action, executionCompleted=body)
    _terminate_children(draft)
    _tell_parent(draft, ending)


def _terminate_children(draft: Draft) -> None:
    stop = next((e for e in draft.turn.new if e.HasField("executionTerminated")), None)
    if stop is None or not stop.executionTerminated.recurse:
        return
    history = draft.history()
    ended = {events.answers(each) for each in history}
    for each in history:
        if each.HasField("childWorkflowInstanceCreated") and ("child", each.eventId) not in ended:
            made = events.event(draft.now_ns, executionTerminated=stop.executionTerminated)
            draft.send(each.childWorkflowInstanceCreated.instanceId, made)


def _tell_parent(draft: Draft, ending: CompleteWorkflowAction) -> None:
    started = start(draft.history())
    if started is None or not started.executionStarted.HasField("parentInstance"):
        return
    parent = started.executionStarted.parentInstance
    body: dict[str, object] = {"taskScheduledId": parent.taskScheduledId}
    if ending.workflowStatus == ORCHESTRATION_STATUS_COMPLETED:
        kind = "childWorkflowInstanceCompleted"
        body["result"] = ending.result
    else:
        kind = "childWorkflowInstanceFailed"
        body["failureDetails"] = ending.failureDetails
    told = events.event(draft.now_ns, router=draft.rules.app_id, **_kind(kind, body))
    told.router.targetAppID = parent.appID
    draft.send(parent.workflowInstance.instanceId, told)


def _kind(name: str, body: dict[str, object]) -> dict[str, Any]:
    return {name: body}


def continue_as_new(draft: Draft, state: Instance, ending: CompleteWorkflowAction) -> Outcome:
    """Begin the next generation: an empty past, the same name and parent, the new input."""
    started = start(draft.history())
    body: dict[str, object] = {
        "workflowInstance": {
            "instanceId": draft.turn.instance_id,
            "executionId": {"value": draft.rules.new_id()},
        }
    }
    if started is not None:
        body["name"] = started.executionStarted.name
        if started.executionStarted.HasField("parentInstance"):
            body["parentInstance"] = started.executionStarted.parentInstance
    if ending.HasField("result"):
        body["input"] = ending.result
    app_id = draft.rules.app_id
    new = (
        events.event(draft.now_ns, router=app_id, workflowStarted={}),
        events.event(draft.now_ns, router=app_id, executionStarted=body),
        *ending.carryoverEvents,
    )
    fresh = replace(state, inbox=(), history=(), generation=state.generation + 1)
    return Outcome(
        state=fresh,
        messages=tuple(draft.messages),
        next_turn=Turn(draft.turn.instance_id, (), new),
    )
