from dataclasses import dataclass, replace
from typing import Any

import pytest

from workflow_app.errors import LlmError, NonRetryableError
from workflow_app.executions import Execution, ExecutionLog
from workflow_app.feed import Feed
from workflow_app.instances import Instances
from workflow_app.metrics import Metrics

TASK = Execution(instance="i", workflow="agent", activity="llm_step", task_id="3", execution_id="e")


@dataclass
class Record:
    """A log and everything it writes to."""

    feed: Feed
    instances: Instances
    metrics: Metrics
    log: ExecutionLog

    def entries(self) -> list[dict[str, Any]]:
        """Return the feed."""
        return self.feed.read(0, 100).entries


@pytest.fixture
def record() -> Record:
    feed, instances = Feed(limit=100, first=1), Instances(limit=100, first=1)
    metrics = Metrics(instances.by_status)
    return Record(
        feed, instances, metrics, ExecutionLog(feed=feed, instances=instances, metrics=metrics)
    )


def execute(record: Record, task: Execution = TASK, error: Exception | None = None) -> None:
    with record.log.recording(task):
        if error is not None:
            raise error


def test_redeliveries_of_one_task_are_counted(record: Record) -> None:
    """A redelivery is the next run of its task; a retry, which has a new task id, is run one."""
    for task in (TASK, TASK, replace(TASK, task_id="5"), TASK):
        execute(record, task)
    assert [(each["task_id"], each["run"]) for each in record.entries()] == [
        ("3", 1),
        ("3", 2),
        ("5", 1),
        ("3", 3),
    ]
    text = record.metrics.text().decode()
    counted = 'repeated_executions_total{activity="llm_step",workflow="agent"} 2.0'
    assert counted in text


@pytest.mark.parametrize(
    ("error", "outcome", "refusals"),
    [
        (NonRetryableError("no money", 402), "refused", 1),
        (NonRetryableError("bad request", 400), "error", 0),
        (LlmError("503"), "error", 0),
        (RuntimeError("a bug"), "error", 0),
    ],
)
def test_a_failed_execution_is_recorded_and_fails(
    record: Record, error: Exception, outcome: str, refusals: int
) -> None:
    """Only a budget's 402 is a refusal; every error goes on to the SDK as it was."""
    with pytest.raises(type(error)) as caught:
        execute(record, error=error)
    assert caught.value is error
    assert [each["outcome"] for each in record.entries()] == [outcome]
    known = record.instances.get("i")
    assert known is not None
    assert (known.app.executions, known.app.refusals, known.app.in_flight) == (1, refusals, 0)


def test_what_runs_is_in_flight_and_not_in_the_feed(record: Record) -> None:
    """The feed has ended executions alone."""
    with record.log.recording(TASK):
        known = record.instances.get("i")
        assert known is not None
        assert (known.app.in_flight, known.app.executions) == (1, 0)
        assert record.entries() == []
    [entry] = record.entries()
    assert entry["started_unix_ms"] <= entry["ended_unix_ms"]
    assert (entry["instance"], entry["workflow"], entry["activity"]) == ("i", "agent", "llm_step")
