"""What the sidecar counts, under the names, labels, units and bounds that Dapr gives them.

All from Dapr's source (`pkg/diagnostics` of 1.16.1 and 1.18.3), not recorded. Latencies are whole
milliseconds; what took less than one is counted and not in the histogram.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from sidecar.engine.instance import Instance, completion, start
from sidecar.errors import SidecarError, StoreError
from sidecar.exposition import Counter, Histogram, text
from sidecar.names import AppNames
from sidecar.profiles import Profile
from sidecar.protos import (
    ORCHESTRATION_STATUS_COMPLETED,
    ORCHESTRATION_STATUS_TERMINATED,
    HistoryEvent,
)
from sidecar.reminders.watch import DueJob, Handler

BOUNDS_MS = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300),
    *(400, 500, 650, 800, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000),
)
SUCCESS, FAILED, RECOVERABLE, TERMINATED = "success", "failed", "recoverable", "terminated"
_NS_PER_MS = 1_000_000
_Method = TypeVar("_Method", bound=Callable[..., Awaitable[Any]])


@dataclass(slots=True)
class Execution:
    """One execution of an activity, while it goes on.

    Attributes:
        status: What it is counted as; None for not at all, as while the app has not answered.
        answered_ns: When the app answered, on the monotonic clock.
    """

    status: str | None = None
    answered_ns: int = 0

    def answered(self, *, failed: bool) -> None:
        """Take note that the app has answered; the latency ends here."""
        self.status = FAILED if failed else SUCCESS
        self.answered_ns = time.monotonic_ns()


class Metrics:
    """All metrics of one sidecar."""

    def __init__(self, names: AppNames, profile: Profile) -> None:
        self._terminated = TERMINATED if profile.terminated_counted_apart else FAILED
        app = {"app_id": names.app_id}
        of_app = app | {"namespace": names.namespace}

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"dapr_runtime_workflow_{name}_count", told, labels, of_app)

        def latency(name: str, told: str, *labels: str) -> Histogram:
            return Histogram(
                f"dapr_runtime_workflow_{name}_latency", told, labels, BOUNDS_MS, of_app
            )

        self._operations = counter(
            "operation", "Requests to create, purge and raise events.", "operation", "status"
        )
        self._operation_ms = latency(
            "operation", "Latency of these requests, ms.", "operation", "status"
        )
        self._workflows = counter(
            "execution", "Workflows that ended, and turns that failed.", "workflow_name", "status"
        )
        self._workflow_ms = latency(
            "execution", "From first turn to end, ms.", "workflow_name", "status"
        )
        self._scheduling_ms = latency(
            "scheduling", "From the start's time to the first turn, ms.", "workflow_name"
        )
        self._handed_out = counter(
            "activity_operation", "Activities handed to the app.", "activity_name", "status"
        )
        self._activities = counter(
            "activity_execution", "Executions of activities.", "activity_name", "status"
        )
        self._activity_ms = latency(
            "activity_execution", "Until the app answers, ms.", "activity_name", "status"
        )
        self._reminders = Counter(
            "dapr_runtime_actor_reminders_fired_total",
            "Reminders that came due.",
            ("actor_type", "success"),
            app,
        )

        self.all = (
            *(self._operations, self._operation_ms, self._workflows, self._workflow_ms),
            *(self._scheduling_ms, self._handed_out, self._activities, self._activity_ms),
            self._reminders,
        )

    def text(self) -> str:
        """Write all of them."""
        return text(self.all)

    def counting(self, handle: Handler) -> Handler:
        """Return a handler of due jobs that counts them as fired reminders."""

        async def count(job: DueJob) -> bool:
            success = await handle(job)
            self._reminders.count(job.actor_type, "true" if success else "false")
            return success

        return count

    @contextmanager
    def operation(self, operation: str) -> Iterator[None]:
        """Count and time a client's request: `create_workflow`, `add_event`, `purge_workflow`."""
        began_ns = time.monotonic_ns()
        status = FAILED
        try:
            yield
            status = SUCCESS
        finally:
            self._operations.count(operation, status)
            self._operation_ms.observe(_since_ms(began_ns), operation, status)

    @contextmanager
    def turn(self, state: Instance) -> Iterator[None]:
        """Count a turn that fails, and the time until a workflow's first."""
        for each in state.inbox:
            if each.HasField("executionStarted"):
                name = each.executionStarted.name
                self._scheduling_ms.observe(_waited_ms(each, time.time_ns()), name)
        try:
            yield
        except SidecarError as error:
            status = FAILED if isinstance(error, StoreError) else RECOVERABLE
            self._workflows.count(_name((*state.history, *state.inbox)), status)
            raise

    def turn_saved(self, before: Instance, state: Instance) -> None:
        """Count a workflow that has ended with this turn."""
        known = len(before.history) if before.generation == state.generation else 0
        completed = completion(state.history[known:])
        if completed is None:
            return
        status = {
            ORCHESTRATION_STATUS_COMPLETED: SUCCESS,
            ORCHESTRATION_STATUS_TERMINATED: self._terminated,
        }.get(completed.executionCompleted.workflowStatus, FAILED)
        name = _name(state.history)
        self._workflows.count(name, status)
        began_ms = state.history[0].timestamp.ToMilliseconds()
        self._workflow_ms.observe(time.time_ns() // _NS_PER_MS - began_ms, name, status)

    @contextmanager
    def activity(self, name: str) -> Iterator[Execution]:
        """Count and time an execution of an activity; an error in the block is `recoverable`."""
        self._handed_out.count(name, SUCCESS)
        execution = Execution()
        began_ns = time.monotonic_ns()
        try:
            yield execution
        except SidecarError:
            execution.status = RECOVERABLE
            raise
        finally:
            if execution.status is not None:
                self._activities.count(name, execution.status)
                ended_ns = execution.answered_ns or time.monotonic_ns()
                took_ms = (ended_ns - began_ns) // _NS_PER_MS
                self._activity_ms.observe(took_ms, name, execution.status)


class _Counting(Protocol):
    metrics: Metrics


def counted(operation: str) -> Callable[[_Method], _Method]:
    """Count and time each call of a method as a client's request, in its object's `metrics`."""

    def decorate(method: _Method) -> _Method:
        @wraps(method)
        async def call(self: _Counting, *args: Any, **named: Any) -> Any:
            with self.metrics.operation(operation):
                return await method(self, *args, **named)

        return cast("_Method", call)

    return decorate


def _since_ms(began_ns: int) -> int:
    return (time.monotonic_ns() - began_ns) // _NS_PER_MS


def _waited_ms(started: HistoryEvent, now_ns: int) -> int:
    at = started.timestamp
    if started.executionStarted.HasField("scheduledStartTimestamp"):
        at = started.executionStarted.scheduledStartTimestamp
    return (now_ns - at.ToNanoseconds()) // _NS_PER_MS


def _name(history: tuple[HistoryEvent, ...]) -> str:
    started = start(history)
    return "" if started is None else started.executionStarted.name
