"""The logic of a workflow's turn: history and new events in, decisions out.

Pure: it neither stores nor schedules, and its clock and random ids are arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sidecar import events
from sidecar.errors import UnsupportedActionError
from sidecar.instance import Instance, completion, start
from sidecar.protos import (
    ORCHESTRATION_STATUS_COMPLETED,
    ORCHESTRATION_STATUS_CONTINUED_AS_NEW,
    ORCHESTRATION_STATUS_FAILED,
    CompleteWorkflowAction,
    HistoryEvent,
    WorkflowAction,
    service_pb2,
)


@dataclass(frozen=True, slots=True)
class Message:
    """An event for another instance: it starts a child, or tells a parent how its child ended."""

    instance_id: str
    event: HistoryEvent


@dataclass(frozen=True, slots=True)
class Turn:
    """What the app is asked: to go on from `past` with `new`."""

    instance_id: str
    past: tuple[HistoryEvent, ...]
    new: tuple[HistoryEvent, ...]

    def request(self) -> service_pb2.WorkflowRequest:
        """Return the work item for the app."""
        return service_pb2.WorkflowRequest(
            instanceId=self.instance_id, pastEvents=self.past, newEvents=self.new
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn decided.

    Attributes:
        state: The instance's next state.
        activities: `taskScheduled` events to run.
        timers: `timerCreated` events to fire.
        messages: Events for other instances.
        next_turn: The turn to take at once, after a continue-as-new.
    """

    state: Instance
    activities: tuple[HistoryEvent, ...] = ()
    timers: tuple[HistoryEvent, ...] = ()
    messages: tuple[Message, ...] = ()
    next_turn: Turn | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a turn has to know of its surroundings.

    Attributes:
        app_id: Of the app that the sidecar serves.
        timer_origin_recorded: Keep in the history what a timer is for.
        parent_execution_told: Tell a child its parent's execution id.
        new_id: Makes execution ids.
    """

    app_id: str
    timer_origin_recorded: bool
    parent_execution_told: bool
    new_id: Callable[[], str]


@dataclass(slots=True)
class _Draft:
    turn: Turn
    state: Instance
    rules: Rules
    now_ns: int
    added: list[HistoryEvent] = field(default_factory=list)
    activities: list[HistoryEvent] = field(default_factory=list)
    timers: list[HistoryEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def history(self) -> tuple[HistoryEvent, ...]:
        return (*self.turn.past, *self.turn.new, *self.added)

    def add(self, action: WorkflowAction | None, **kind: Any) -> HistoryEvent:
        made = events.event(
            self.now_ns,
            event_id=events.NO_ID if action is None else action.id,
            router=self.rules.app_id,
            **kind,
        )
        self.added.append(made)
        return made

    def send(self, instance_id: str, event: HistoryEvent) -> None:
        self.messages.append(Message(instance_id, event))


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
    draft = _Draft(turn, state, rules, now_ns)
    custom_status = response.customStatus.value if response.HasField("customStatus") else ""
    state = replace(state, custom_status=custom_status)
    for action in response.actions:
        kind = action.WhichOneof("workflowActionType")
        if kind == "completeWorkflow":
            if action.completeWorkflow.workflowStatus == ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
                return _continue_as_new(draft, state, action.completeWorkflow)
            _complete(draft, action, action.completeWorkflow)
            continue
        try:
            _refuse_other_app(action)
            _APPLY.get(kind, _unsupported)(draft, action)
        except UnsupportedActionError as error:
            return _failed(turn, state, rules, now_ns, str(error))
    return _outcome(draft, state)


def _outcome(draft: _Draft, state: Instance) -> Outcome:
    history = draft.history()
    ended = completion(draft.added) is not None
    return Outcome(
        state=replace(state, history=history, inbox=()),
        activities=tuple(draft.activities),
        timers=() if ended else tuple(draft.timers),
        messages=tuple(draft.messages),
    )


def _failed(turn: Turn, state: Instance, rules: Rules, now_ns: int, text: str) -> Outcome:
    draft = _Draft(turn, state, rules, now_ns)
    action = WorkflowAction(id=events.NO_ID)
    action.completeWorkflow.workflowStatus = ORCHESTRATION_STATUS_FAILED
    action.completeWorkflow.failureDetails.errorType = "UnsupportedByEmbeddedSidecar"
    action.completeWorkflow.failureDetails.errorMessage = text
    _complete(draft, action, action.completeWorkflow)
    return _outcome(draft, state)


def _refuse_other_app(action: WorkflowAction) -> None:
    kind = action.WhichOneof("workflowActionType")
    body = getattr(action, kind) if kind else None
    for router in (action.router, getattr(body, "router", action.router)):
        if router.targetAppID and router.targetAppID != router.sourceAppID:
            raise UnsupportedActionError(
                f"{kind} for another app ({router.targetAppID}) is not supported "
                "by the embedded sidecar"
            )


def _unsupported(_: _Draft, action: WorkflowAction) -> None:
    kind = action.WhichOneof("workflowActionType")
    raise UnsupportedActionError(f"the action {kind} is not supported by the embedded sidecar")


def _schedule_task(draft: _Draft, action: WorkflowAction) -> None:
    asked = action.scheduleTask
    body: dict[str, object] = {"name": asked.name, "taskExecutionId": asked.taskExecutionId}
    for name in ("version", "input"):
        if asked.HasField(name):
            body[name] = getattr(asked, name)
    draft.activities.append(draft.add(action, taskScheduled=body))


def _create_timer(draft: _Draft, action: WorkflowAction) -> None:
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


def _create_child(draft: _Draft, action: WorkflowAction) -> None:
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


def _parent(draft: _Draft, task_id: int) -> dict[str, object]:
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


def _send_event(draft: _Draft, action: WorkflowAction) -> None:
    asked = action.sendEvent
    target = asked.instance.instanceId
    draft.add(action, eventSent={"instanceId": target, "name": asked.name, "input": asked.data})
    raised = {"name": asked.name, "input": asked.data}
    draft.send(target, events.event(draft.now_ns, eventRaised=raised))


def _terminate_other(draft: _Draft, action: WorkflowAction) -> None:
    asked = action.terminateWorkflow
    ending = {"input": asked.reason, "recurse": asked.recurse}
    made = events.event(draft.now_ns, executionTerminated=ending)
    draft.send(asked.instanceId, made)


_APPLY: dict[str | None, Callable[[_Draft, WorkflowAction], None]] = {
    "scheduleTask": _schedule_task,
    "createTimer": _create_timer,
    "createChildWorkflow": _create_child,
    "sendEvent": _send_event,
    "terminateWorkflow": _terminate_other,
}


def _complete(draft: _Draft, action: WorkflowAction, ending: CompleteWorkflowAction) -> None:
    body: dict[str, object] = {"workflowStatus": ending.workflowStatus}
    for name in ("result", "failureDetails"):
        if ending.HasField(name):
            body[name] = getattr(ending, name)
    draft.add(action, executionCompleted=body)
    _terminate_children(draft)
    _tell_parent(draft, ending)


def _terminate_children(draft: _Draft) -> None:
    stop = next((e for e in draft.turn.new if e.HasField("executionTerminated")), None)
    if stop is None or not stop.executionTerminated.recurse:
        return
    history = draft.history()
    ended = {events.answers(each) for each in history}
    for each in history:
        if each.HasField("childWorkflowInstanceCreated") and ("child", each.eventId) not in ended:
            made = events.event(draft.now_ns, executionTerminated=stop.executionTerminated)
            draft.send(each.childWorkflowInstanceCreated.instanceId, made)


def _tell_parent(draft: _Draft, ending: CompleteWorkflowAction) -> None:
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


def _continue_as_new(draft: _Draft, state: Instance, ending: CompleteWorkflowAction) -> Outcome:
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
