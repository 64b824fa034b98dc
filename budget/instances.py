"""What is known of a workflow instance, of kill switches and of stops at the source, as values."""

from dataclasses import dataclass, field
from enum import StrEnum

from budget.reservations import ScopeState


class InstanceState(StrEnum):
    """Whether the calls of an instance pass."""

    LIVE = "live"
    KILLED = "killed"
    ZOMBIE = "zombie"


class StopState(StrEnum):
    """How far a stop at the source is."""

    PENDING = "pending"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeletedJob:
    """An activity job that the scheduler was told to delete."""

    task_id: int
    generation: int
    activity: str
    execution_id: str


@dataclass(frozen=True, slots=True)
class SourceStop:
    """A stop of an instance at its source.

    Attributes:
        state: How far it is.
        requested_unix_ms: When it was asked for.
        ended_unix_ms: When it was proven, or given up.
        attempts: How often the scheduler was asked.
        jobs_deleted: How many jobs were deleted, over all attempts.
        jobs: The first of them.
        jobs_left: What the last listing still showed; None before the first one.
        error: Why the last attempt was not enough.
    """

    state: StopState
    requested_unix_ms: int
    ended_unix_ms: int | None
    attempts: int
    jobs_deleted: int
    jobs: tuple[DeletedJob, ...]
    jobs_left: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Instance:
    """One workflow instance.

    Attributes:
        money: Its counters; `calls` are settled ones.
        app: The application that its last call named; empty when none did.
        state: Whether its calls pass.
        since_unix_ms: Since when it is not live; None when it is.
        reason: Why it is not.
        actor: Who decided that.
        activities: Different (execution id, task id) that were decided for good.
        executions: How often those were executed, together.
        most_executions: The same of the one that was executed most often.
        replays: Calls that were answered from the store.
        refusals: Calls that were refused for good.
        source: Its stop at the source, when one was asked for.
    """

    money: ScopeState
    app: str = ""
    state: InstanceState = InstanceState.LIVE
    since_unix_ms: int | None = None
    reason: str | None = None
    actor: str | None = None
    activities: int = 0
    executions: int = 0
    most_executions: int = 0
    replays: int = 0
    refusals: int = 0
    source: SourceStop | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Trip:
    """Somebody, or the gateway itself, stopped calls, let them pass again, or stopped a source."""

    seq: int
    at_unix_ms: int
    kind: str
    scope: str
    id: str
    reason: str
    actor: str
    detail: str


@dataclass(frozen=True, slots=True)
class TripPage:
    """Some trips, and what the bounded feed no longer holds of those asked for."""

    trips: tuple[Trip, ...]
    next_seq: int
    dropped: int
