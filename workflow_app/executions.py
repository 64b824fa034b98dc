"""The record of every execution of an activity, as this process saw it."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from workflow_app.clock import unix_ms
from workflow_app.errors import NonRetryableError
from workflow_app.feed import Feed
from workflow_app.instances import Instances
from workflow_app.llm import REFUSED_STATUS
from workflow_app.metrics import Metrics

Outcome = Literal["ok", "refused", "error"]

_REMEMBERED_TASKS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Execution:
    """Which activity of which instance runs; redeliveries of one task are equal."""

    instance: str
    workflow: str
    activity: str
    task_id: str
    execution_id: str


class ExecutionLog:
    """Writes the feed of ended executions and the app's side of each instance."""

    def __init__(self, *, feed: Feed, instances: Instances, metrics: Metrics) -> None:
        self._feed = feed
        self._instances = instances
        self._metrics = metrics
        self._runs: OrderedDict[Execution, int] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def recording(self, execution: Execution) -> Iterator[None]:
        """Record what happens in the block as one execution; its error passes through."""
        run, started = self._next_run(execution), unix_ms()
        self._instances.execution_began(
            execution.instance, name=execution.workflow, at_unix_ms=started
        )
        outcome: Outcome = "error"
        try:
            with self._metrics.in_flight(execution.workflow, execution.activity):
                yield
            outcome = "ok"
        except NonRetryableError as error:
            outcome = "refused" if error.status == REFUSED_STATUS else "error"
            raise
        finally:
            self._ended(execution, run=run, started=started, outcome=outcome)

    def _next_run(self, execution: Execution) -> int:
        with self._lock:
            run = self._runs.pop(execution, 0) + 1
            self._runs[execution] = run
            if len(self._runs) > _REMEMBERED_TASKS:
                self._runs.popitem(last=False)
            return run

    def _ended(self, execution: Execution, *, run: int, started: int, outcome: Outcome) -> None:
        self._metrics.ended(execution.workflow, execution.activity, outcome, repeated=run > 1)
        self._feed.append(
            {
                "started_unix_ms": started,
                "ended_unix_ms": unix_ms(),
                "instance": execution.instance,
                "workflow": execution.workflow,
                "activity": execution.activity,
                "task_id": execution.task_id,
                "execution_id": execution.execution_id,
                "run": run,
                "outcome": outcome,
            }
        )
        self._instances.execution_ended(execution.instance, refused=outcome == "refused")
