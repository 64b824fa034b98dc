"""What the sidecar's metrics say of what has happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sidecar.metrics_page import MetricsPage
from tests.sidecar.scenarios import finish, start, tried
from tests.sidecar.stack import Stack, stack, until

ENDED = "dapr_runtime_workflow_execution_count"
ACTIVITIES = "dapr_runtime_workflow_activity_execution_count"
OPERATIONS = "dapr_runtime_workflow_operation_count"
REMINDERS = "dapr_runtime_actor_reminders_fired_total"


@pytest.fixture(scope="module", params=["1.16.1", "1.18.3"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Give a stack on which one workflow of each fate has ended."""
    with stack(tmp_path_factory.mktemp("metrics") / "stack", request.param) as made:
        start(made, "seq", "good", {"steps": 2, "sleep": 0.1})
        start(made, "seq", "bad", {"steps": 1, "fail": 9})
        start(made, "seq", "ended", {"steps": 1, "sleep": 0.3})
        made.client.terminate_workflow("ended")
        for each in ("good", "bad", "ended"):
            finish(made, each)
        tried(made.client.raise_workflow_event, "nobody", "go")
        made.client.purge_workflow("good")
        until(lambda: _page(made).value(ACTIVITIES) == 4)
        yield made


def _page(running: Stack) -> MetricsPage:
    return MetricsPage(running.health_url.replace("v1.0/healthz", "metrics"))


def test_ended_workflows_are_counted_by_name_and_status(running: Stack) -> None:
    """A terminated one is `failed` up to 1.17, and `terminated` on 1.18.3."""
    page = _page(running)
    assert page.value(ENDED, workflow_name="seq", status="success") == 1
    terminated = "failed" if running.profile == "1.16.1" else "terminated"
    statuses = {"success": 1, "failed": 1}
    statuses[terminated] = statuses.get(terminated, 0) + 1
    assert {each: page.value(ENDED, status=each) for each in statuses} == statuses
    assert page.value(ENDED) == 3
    latency = "dapr_runtime_workflow_execution_latency"
    assert page.value(f"{latency}_sum", status="success") >= 200
    assert page.value(f"{latency}_bucket", status="success", le="200") == 0
    assert page.value(f"{latency}_bucket", status="success", le="+Inf") == 1


def test_executions_of_activities_are_counted_and_timed(running: Stack) -> None:
    """Each execution, by what the app answered."""
    page = _page(running)
    assert page.value(ACTIVITIES, activity_name="act", status="success") == 3
    assert page.value(ACTIVITIES, activity_name="act", status="failed") == 1
    assert page.value("dapr_runtime_workflow_activity_operation_count", status="success") == 4
    took = "dapr_runtime_workflow_activity_execution_latency"
    assert 500 <= page.value(f"{took}_sum", status="success") < 5000


def test_requests_of_clients_are_counted(running: Stack) -> None:
    """By kind and outcome."""
    page = _page(running)
    assert page.value(OPERATIONS, operation="create_workflow", status="success") == 3
    assert page.value(OPERATIONS, operation="add_event", status="success") == 1
    assert page.value(OPERATIONS, operation="add_event", status="failed") == 1
    assert page.value(OPERATIONS, operation="purge_workflow", status="success") == 1


def test_reminders_that_fired_are_counted(running: Stack) -> None:
    """One for each execution of an activity, and some for the workflows."""
    page = _page(running)
    kind = "dapr.internal.default.lab"
    assert page.value(REMINDERS, actor_type=f"{kind}.activity", success="true") == 4
    assert page.value(REMINDERS, actor_type=f"{kind}.workflow", success="true") >= 6
    assert page.value(REMINDERS, success="false") == 0


def test_labels_are_daprs(running: Stack) -> None:
    """Names as in its source; reminders have no namespace there."""
    page = _page(running)
    app = {"app_id", "namespace"}
    assert page.labels(ENDED) == app | {"workflow_name", "status"}
    assert page.labels(ACTIVITIES) == app | {"activity_name", "status"}
    assert page.labels(OPERATIONS) == app | {"operation", "status"}
    assert page.labels(REMINDERS) == {"app_id", "actor_type", "success"}


def test_no_instance_is_a_label(running: Stack) -> None:
    """Their number has no bound."""
    assert "good" not in _page(running).text


def test_what_fails_is_counted_as_recoverable(tmp_path: Path) -> None:
    """A runaway shows as executions and reminders that fail, one a second."""
    with stack(tmp_path / "stack", "1.16.1") as made:
        start(made, "seq", "lost", {"steps": 1, "sleep": 0.5, "later": 0})
        until(lambda: made.executions("lost"))
        made.kill_sidecar()
        made.redis.flushall()
        made.start_sidecar()
        until(lambda: len(made.executions("lost")) >= 3, 30)
        failures = {"activity_name": "act", "status": "recoverable"}
        until(lambda: _page(made).value(ACTIVITIES, **failures) >= 2)
        assert _page(made).value(REMINDERS, success="false") >= 2
        assert _page(made).value(ENDED) == 0
