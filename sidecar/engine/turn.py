"""The logic of a workflow's turn: history and new events in, decisions out.

Pure: it neither stores nor schedules, and its clock and random ids are arguments.
"""

from collections.abc import Callable
from dataclasses import replace

from sidecar.engine import ending, events, versioning
from sidecar.engine.decision import Draft, Message, Outcome, Rules, Turn
from sidecar.engine.instance import Instance, start
from sidecar.errors import UnsupportedActionError
from sidecar.protos import (
    ORCHESTRATION_STATUS_CONTINUED_AS_NEW,
    ORCHESTRATION_STATUS_FAILED,
    WorkflowAction,
    service_pb2,
)

__all__ = ["Message", "Outcome", "Rules", "Turn", "begin", "finish"]


def begin(instance_id: str, state: Instance, now_ns: int) -> Turn:
    """Return the turn that processes the whole inbox."""
    opening = events.event(now_ns, workflowStarted={})
    return Turn(instance_id, state.history, (opening, *state.inbox))


def finish(
    turn: Turn,
    state: Instance,
    response: service_pb2.WorkflowResponse,
    rules: Rules,
    now_ns: int,
) -> Outcome:
    """Apply what the app answered to a turn.

    An action that the sidecar does not carry out ends the workflow as FAILED and says so.
    """
    if rules.versions_kept:
        if (stall := versioning.stall(turn.past, response)) is not None:
            return _stalled(turn, state, now_ns, stall)
        turn = _with_version(turn, response)
    draft = Draft(turn, state, rules, now_ns)
    custom_status = response.customStatus.value if response.HasField("customStatus") else ""
    state = replace(state, custom_status=custom_status)
    for action in response.actions:
        kind = action.WhichOneof("workflowActionType")
        if kind == "completeWorkflow":
            if action.completeWorkflow.workflowStatus == ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
                return ending.continue_as_new(draft, state, action.completeWorkflow)
            ending.complete(draft, action, action.completeWorkflow)
            continue
        try:
            _refuse_other_app(action)
            if rules.propagation_exists:
                _refuse_propagation(action)
            _APPLY.get(kind, _unsupported)(draft, action)
        except UnsupportedActionError as error:
            return _failed(turn, state, rules, now_ns, str(error))
    return draft.outcome(state)


def _with_version(turn: Turn, response: service_pb2.WorkflowResponse) -> Turn:
    opening, *news = turn.new
    return replace(turn, new=(versioning.kept(turn.past, opening, response), *news))


def _stalled(turn: Turn, state: Instance, now_ns: int, stall: versioning.Stall) -> Outcome:
    told = {"reason": stall.reason, "description": stall.text}
    made = events.event(now_ns, executionStalled=told)
    last = turn.past[-1].executionStalled if turn.past else None
    if last is None or last.description != stall.text:
        state = replace(state, history=(*turn.past, made))
    return Outcome(state=state, is_stalled=True)


def _failed(turn: Turn, state: Instance, rules: Rules, now_ns: int, text: str) -> Outcome:
    draft = Draft(turn, state, rules, now_ns)
    action = WorkflowAction(id=events.NO_ID)
    action.completeWorkflow.workflowStatus = ORCHESTRATION_STATUS_FAILED
    action.completeWorkflow.failureDetails.errorType = "UnsupportedByEmbeddedSidecar"
    action.completeWorkflow.failureDetails.errorMessage = text
    ending.complete(draft, action, action.completeWorkflow)
    return draft.outcome(state)


def _refuse_other_app(action: WorkflowAction) -> None:
    kind = action.WhichOneof("workflowActionType")
    body = getattr(action, kind) if kind else None
    for router in (action.router, getattr(body, "router", action.router)):
        if router.targetAppID and router.targetAppID != router.sourceAppID:
            raise UnsupportedActionError(
                f"{kind} for another app ({router.targetAppID}) is not supported "
                "by the embedded sidecar"
            )


def _refuse_propagation(action: WorkflowAction) -> None:
    kind = action.WhichOneof("workflowActionType")
    if kind in ("scheduleTask", "createChildWorkflow") and (
        getattr(action, kind).historyPropagationScope
    ):
        raise UnsupportedActionError(
            f"{kind} with history propagation is not supported by the embedded sidecar"
        )


def _unsupported(_: Draft, action: WorkflowAction) -> None:
    kind = action.WhichOneof("workflowActionType")
    raise UnsupportedActionError(f"the action {kind} is not supported by the embedded sidecar")


def _schedule_task(draft: Draft, action: WorkflowAction) -> None:
    asked = action.scheduleTask
    body: dict[str, object] = {"name": asked.name, "taskExecutionId": asked.taskExecutionId}
    for name in ("version", "input"):
        if asked.HasField(name):
            body[name] = getattr(asked, name)
    draft.activities.append(draft.add(action, taskScheduled=body))


def _create_timer(draft: Draft, action: WorkflowAction) -> None:
    asked = action.createTimer
    body: dict[str, object] = {"fireAt": asked.fireAt}
    if asked.name:
        body["name"] = asked.name
    origin = asked.WhichOneof("origin")
    if origin and draft.rules.timer_origin_recorded:
        body[origin] = getattr(asked, origin)
    made = draft.add(action, timerCreated=body)
    if not draft.rules.timer_origin_recorded:
        made.ClearField("router")
    draft.timers.append(made)


def _create_child(draft: Draft, action: WorkflowAction) -> None:
    asked = action.createChildWorkflow
    body: dict[str, object] = {"instanceId": asked.instanceId, "name": asked.name}
    for name in ("version", "input"):
        if asked.HasField(name):
            body[name] = getattr(asked, name)
    draft.add(action, childWorkflowInstanceCreated=body)
    del body["instanceId"]
    body["workflowInstance"] = {
        "instanceId": asked.instanceId,
        "executionId": {"value": draft.rules.new_id()},
    }
    body["parentInstance"] = _parent(draft, action.id)
    started = events.event(draft.now_ns, router=draft.rules.app_id, executionStarted=body)
    draft.send(asked.instanceId, started)


def _parent(draft: Draft, task_id: int) -> dict[str, object]:
    instance: dict[str, object] = {"instanceId": draft.turn.instance_id}
    told: dict[str, object] = {
        "taskScheduledId": task_id,
        "workflowInstance": instance,
        "appID": draft.rules.app_id,
    }
    started = start(draft.history())
    if started is not None:
        told["name"] = {"value": started.executionStarted.name}
        if draft.rules.parent_execution_told:
            instance["executionId"] = started.executionStarted.workflowInstance.executionId
    return told


def _send_event(draft: Draft, action: WorkflowAction) -> None:
    asked = action.sendEvent
    target = asked.instance.instanceId
    draft.add(action, eventSent={"instanceId": target, "name": asked.name, "input": asked.data})
    raised = {"name": asked.name, "input": asked.data}
    draft.send(target, events.event(draft.now_ns, eventRaised=raised))


def _terminate_other(draft: Draft, action: WorkflowAction) -> None:
    asked = action.terminateWorkflow
    ending = {"input": asked.reason, "recurse": asked.recurse}
    made = events.event(draft.now_ns, executionTerminated=ending)
    draft.send(asked.instanceId, made)


_APPLY: dict[str | None, Callable[[Draft, WorkflowAction], None]] = {
    "scheduleTask": _schedule_task,
    "createTimer": _create_timer,
    "createChildWorkflow": _create_child,
    "sendEvent": _send_event,
    "terminateWorkflow": _terminate_other,
}
