"""What every actor of a sidecar shares, and what wakes it."""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as AnyMessage

from sidecar.engine.turn import Rules
from sidecar.engine.waiters import Waiters
from sidecar.metrics import Metrics
from sidecar.profiles import Profile
from sidecar.reminders.jobs import Jobs
from sidecar.stores.workflows import WorkflowStore
from sidecar.workers import Workers


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every actor of a sidecar shares."""

    profile: Profile
    rules: Rules
    store: WorkflowStore
    jobs: Jobs
    workers: Workers
    waiters: Waiters
    metrics: Metrics
    clock_ns: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Reminder:
    """A job of a workflow actor that has come due."""

    name: str
    data: AnyMessage
