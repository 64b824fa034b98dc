"""What a turn is about: what the app is asked, and what is decided while its answer is applied."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sidecar.engine import events
from sidecar.engine.history import History
from sidecar.engine.instance import Instance, completion
from sidecar.protos import HistoryEvent, WorkflowAction, service_pb2


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
        is_stalled: The turn counts for nothing, and is to be taken again.
    """

    state: Instance
    activities: tuple[HistoryEvent, ...] = ()
    timers: tuple[HistoryEvent, ...] = ()
    messages: tuple[Message, ...] = ()
    next_turn: Turn | None = None
    is_stalled: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What a turn has to know of its surroundings.

    Attributes:
        app_id: Of the app that the sidecar serves.
        timer_origin_recorded: Keep in the history what a timer is for.
        parent_execution_told: Tell a child its parent's execution id.
        versions_kept: Keep the workflow's version and patches in the history.
        propagation_exists: Apps may ask for the history to be passed on; older ones did in vain.
        new_id: Makes execution ids.
    """

    app_id: str
    timer_origin_recorded: bool
    parent_execution_told: bool
    versions_kept: bool
    propagation_exists: bool
    new_id: Callable[[], str]


@dataclass(slots=True)
class Draft:
    """The decisions of a turn, as they are made."""

    turn: Turn
    state: Instance
    rules: Rules
    now_ns: int
    added: list[HistoryEvent] = field(default_factory=list)
    activities: list[HistoryEvent] = field(default_factory=list)
    timers: list[HistoryEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def history(self) -> tuple[HistoryEvent, ...]:
        """Return the past, the news and what has been added so far."""
        news = (*self.turn.new, *self.added)
        past = self.turn.past
        return past.followed_by(news) if isinstance(past, History) else (*past, *news)

    def add(self, action: WorkflowAction | None, **kind: Any) -> HistoryEvent:
        """Add an event to the history, under the id of the action that asked for it."""
        made = events.event(
            self.now_ns,
            event_id=events.NO_ID if action is None else action.id,
            router=self.rules.app_id,
            **kind,
        )
        self.added.append(made)
        return made

    def send(self, instance_id: str, event: HistoryEvent) -> None:
        """Have an event sent to another instance."""
        self.messages.append(Message(instance_id, event))

    def outcome(self, state: Instance) -> Outcome:
        """Return what has been decided; a workflow that has ended needs no timers."""
        ended = completion(self.added) is not None
        return Outcome(
            state=replace(state, history=self.history(), inbox=()),
            activities=tuple(self.activities),
            timers=() if ended else tuple(self.timers),
            messages=tuple(self.messages),
        )
