"""A workflow's state, and what can be read off it. Pure: no clock, no store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.engine.events import NO_ID, answers, asks_for
from sidecar.engine.history import History, index_of
from sidecar.protos import (
    ORCHESTRATION_STATUS_PENDING,
    ORCHESTRATION_STATUS_RUNNING,
    ORCHESTRATION_STATUS_STALLED,
    ORCHESTRATION_STATUS_SUSPENDED,
    HistoryEvent,
    OrchestrationStatus,
    WorkflowState,
)

# Go's zero time, which Dapr reports where it knows no time.
_ZERO_TIME = Timestamp(seconds=-62_135_596_800)


@dataclass(frozen=True, slots=True)
class Instance:
    """The state of one workflow instance, as the store keeps it.

    Attributes:
        inbox: Events that have been acknowledged and that no turn has processed.
        history: What the turns have made of the earlier ones.
        custom_status: What the workflow says of itself; None before it said anything.
        generation: Starts at 1, grows with each continue-as-new and each new start of an id.
    """

    inbox: tuple[HistoryEvent, ...] = ()
    history: tuple[HistoryEvent, ...] = ()
    custom_status: str | None = None
    generation: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.history, History):
            object.__setattr__(self, "history", History(self.history))

    def with_event(self, new: HistoryEvent) -> "Instance":
        """Return this state with one more event in the inbox."""
        return replace(self, inbox=(*self.inbox, new))

    def never_asked(self, new: HistoryEvent, scheduled: HistoryEvent | None = None) -> bool:
        """Tell whether `new` answers a task or timer that no saved turn has asked for.

        The turn that asked was not saved, so it is taken again; with further news it may ask for
        something else under the same id. A history that has lost its beginning may have lost the
        question too, and is given the benefit of the doubt.

        Args:
            new: The answer.
            scheduled: The activity that it is the result of. One from before this execution began
                answers whatever has its id, as in Dapr (recorded on 1.16.1: a runaway's result
                fails the workflow that took its instance's id).
        """
        answer = answers(new)
        began = start(self.history) or start(self.inbox)
        if answer is None or began is None or new.HasField("executionStarted"):
            return False
        same_id = self._with_id(answer[1])
        if scheduled is not None and _is_before(scheduled, began):
            return not any(True for _ in same_id)
        return not any(asks_for(each, new) for each in same_id)

    def knows(self, new: HistoryEvent) -> bool:
        """Tell whether `new` answers a task or timer that has been answered before."""
        answer = answers(new)
        if answer is None:
            return False
        if any(answers(each) == answer for each in self.inbox):
            return True
        if (index := index_of(self.history)) is not None:
            return answer in index.answered
        return any(answers(each) == answer for each in self.history)

    def _with_id(self, event_id: int) -> Iterable[HistoryEvent]:
        index = index_of(self.history)
        if index is None or event_id == NO_ID:
            return (each for each in self.history if each.eventId == event_id)
        return index.by_id.get(event_id, ())


def _is_before(one: HistoryEvent, other: HistoryEvent) -> bool:
    return bool(one.timestamp.ToNanoseconds() < other.timestamp.ToNanoseconds())


def begun(started: HistoryEvent, old: Instance | None) -> Instance:
    """Return a new instance; what still runs for the `old` one is of an earlier generation."""
    return Instance(inbox=(started,), generation=1 if old is None else old.generation + 1)


def last(history: Sequence[HistoryEvent], *kinds: str) -> HistoryEvent | None:
    """Return the latest event of one of the kinds."""
    for each in reversed(history):
        if each.WhichOneof("eventType") in kinds:
            return each
    return None


def completion(history: Sequence[HistoryEvent]) -> HistoryEvent | None:
    """Return the `executionCompleted` event of a workflow that has ended."""
    if (index := index_of(history)) is not None:
        return index.completed
    return last(history, "executionCompleted")


def start(history: Iterable[HistoryEvent]) -> HistoryEvent | None:
    """Return the `executionStarted` event."""
    if (index := index_of(history)) is not None:
        return index.started
    for each in history:
        if each.HasField("executionStarted"):
            return each
    return None


def _pause(history: Sequence[HistoryEvent]) -> HistoryEvent | None:
    if (index := index_of(history)) is not None:
        return index.paused
    return last(history, "executionSuspended", "executionResumed")


def runtime_status(history: Sequence[HistoryEvent]) -> "OrchestrationStatus.ValueType":
    """Return the status, a value of `OrchestrationStatus`.

    A history whose start has been lost is PENDING whatever else it holds, as in Dapr.
    """
    stalled = bool(history) and history[-1].HasField("executionStalled")
    if start(history) is None:
        return ORCHESTRATION_STATUS_STALLED if stalled else ORCHESTRATION_STATUS_PENDING
    if completed := completion(history):
        return completed.executionCompleted.workflowStatus
    if stalled:
        return ORCHESTRATION_STATUS_STALLED
    pause = _pause(history)
    if pause is not None and pause.HasField("executionSuspended"):
        return ORCHESTRATION_STATUS_SUSPENDED
    return ORCHESTRATION_STATUS_RUNNING


def status_name(status: "OrchestrationStatus.ValueType") -> str:
    """Return a status as in `RUNNING`; the number of one that has no name."""
    if status not in OrchestrationStatus.values():
        return str(status)
    return OrchestrationStatus.Name(status).removeprefix("ORCHESTRATION_STATUS_")


def describe(
    instance_id: str, state: Instance, *, with_payloads: bool, with_started_at: bool
) -> WorkflowState:
    """Return what a client is told of the workflow.

    Args:
        instance_id: The instance's id.
        state: Its state.
        with_payloads: Include input, output, custom status and failure.
        with_started_at: Include the time of the first turn, which newer versions tell.
    """
    started = start(state.history)
    told = WorkflowState(
        instanceId=instance_id,
        workflowStatus=runtime_status(state.history),
        createdTimestamp=_ZERO_TIME if started is None else started.timestamp,
        lastUpdatedTimestamp=_ZERO_TIME if started is None else state.history[-1].timestamp,
    )
    if started is not None:
        told.name = started.executionStarted.name
    if with_payloads:
        _add_payloads(told, state, started)
    if with_started_at and state.history:
        _add_started_at(told, state.history[0].timestamp)
    return told


def _add_payloads(told: WorkflowState, state: Instance, started: HistoryEvent | None) -> None:
    if started is not None and started.executionStarted.HasField("input"):
        told.input.CopyFrom(started.executionStarted.input)
    if state.custom_status:
        told.customStatus.value = state.custom_status
    if completed := completion(state.history):
        ended = completed.executionCompleted
        if ended.HasField("result"):
            told.output.CopyFrom(ended.result)
        if ended.HasField("failureDetails"):
            told.failureDetails.CopyFrom(ended.failureDetails)


def _add_started_at(told: WorkflowState, at: Timestamp) -> None:
    # The SDK's stubs do not know field 17, `startedAt`; length-delimited, so tag 17 << 3 | 2.
    payload = at.SerializeToString()
    told.MergeFromString(bytes((0x8A, 0x01, len(payload))) + payload)
