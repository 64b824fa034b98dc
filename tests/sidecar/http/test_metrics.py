"""What the sidecar's metrics say of what has happened."""

from collections.abc import Mapping

import pytest

from tests.sidecar.conftest import PROFILES
from tests.sidecar.faults.switches import Switches
from tests.sidecar.metrics_page import MetricsPage
from tests.sidecar.scenarios import finish, start, tried
from tests.sidecar.stack import Stack, until

ENDED = "dapr_runtime_workflow_execution_count"
ENDED_MS = "dapr_runtime_workflow_execution_latency"
ACTIVITIES = "dapr_runtime_workflow_activity_execution_count"
ACTIVITIES_MS = "dapr_runtime_workflow_activity_execution_latency"
OPERATIONS = "dapr_runtime_workflow_operation_count"
REMINDERS = "dapr_runtime_actor_reminders_fired_total"
APP = {"app_id", "namespace"}


class Counted:
    """What a sidecar has counted between two scrapes."""

    def __init__(self, running: Stack) -> None:
        self.profile = running.profile
        self._url = running.health_url.replace("v1.0/healthz", "metrics")
        self.before = self.after = MetricsPage(self._url)

    def scrape(self) -> "Counted":
        """Take the later scrape."""
        self.after = MetricsPage(self._url)
        return self

    def value(self, name: str, **labels: str) -> float:
        """Return by how much the series with these labels have grown."""
        return self.after.value(name, **labels) - self.before.value(name, **labels)


@pytest.fixture(scope="module", params=PROFILES)
def counted(request: pytest.FixtureRequest, stacks: Mapping[str, Stack]) -> Counted:
    """Give what was counted while one workflow of each fate ended."""
    running = stacks[request.param]
    made = Counted(running)
    start(running, "seq", "good", {"steps": 2, "sleep": 0.1})
    start(running, "seq", "bad", {"steps": 1, "fail": 9})
    start(running, "seq", "ended", {"steps": 1, "sleep": 0.3})
    running.client.terminate_workflow("ended")
    for each in ("good", "bad", "ended"):
        finish(running, each)
    tried(running.client.raise_workflow_event, "nobody", "go")
    running.client.purge_workflow("good")
    until(lambda: made.scrape().value(ACTIVITIES) >= 4)
    return made


def test_ended_workflows_are_counted_by_name_and_status(counted: Counted) -> None:
    """A terminated one is `failed` up to 1.17, and `terminated` on 1.18.3."""
    assert counted.value(ENDED, workflow_name="seq", status="success") == 1
    statuses = ("failed", "terminated")
    found = [counted.value(ENDED, workflow_name="seq", status=each) for each in statuses]
    assert found == ([2, 0] if counted.profile == "1.16.1" else [1, 1])
    assert counted.value(f"{ENDED_MS}_sum", status="success") >= 200
    assert counted.value(f"{ENDED_MS}_bucket", status="success", le="200") == 0
    assert counted.value(f"{ENDED_MS}_bucket", status="success", le="+Inf") == 1


def test_executions_of_activities_are_counted_and_timed(counted: Counted) -> None:
    """Each execution, by what the app answered."""
    assert counted.value(ACTIVITIES, activity_name="act", status="success") == 3
    assert counted.value(ACTIVITIES, activity_name="act", status="failed") == 1
    assert counted.value("dapr_runtime_workflow_activity_operation_count") == 4
    assert 500 <= counted.value(f"{ACTIVITIES_MS}_sum", status="success") < 5000


def test_requests_of_clients_are_counted(counted: Counted) -> None:
    """By kind and outcome."""
    assert counted.value(OPERATIONS, operation="create_workflow", status="success") == 3
    assert counted.value(OPERATIONS, operation="add_event", status="success") == 1
    assert counted.value(OPERATIONS, operation="add_event", status="failed") == 1
    assert counted.value(OPERATIONS, operation="purge_workflow", status="success") == 1


def test_reminders_that_fired_are_counted(counted: Counted) -> None:
    """One for each execution of an activity, and some for the workflows."""
    kind = "dapr.internal.default.lab"
    assert counted.value(REMINDERS, actor_type=f"{kind}.activity", success="true") == 4
    assert counted.value(REMINDERS, actor_type=f"{kind}.workflow", success="true") >= 6
    assert counted.value(REMINDERS, success="false") == 0


def test_labels_are_daprs(counted: Counted) -> None:
    """Names as in its source; reminders have no namespace there."""
    page = counted.after
    assert page.labels(ENDED) == APP | {"workflow_name", "status"}
    assert page.labels(ACTIVITIES) == APP | {"activity_name", "status"}
    assert page.labels(OPERATIONS) == APP | {"operation", "status"}
    assert page.labels(REMINDERS) == {"app_id", "actor_type", "success"}


def test_no_instance_is_a_label(counted: Counted) -> None:
    """Their number has no bound."""
    assert "good" not in counted.after.text


def test_an_aborted_activity_is_counted_as_recoverable(stacks: Mapping[str, Stack]) -> None:
    """Its execution and its reminder have failed; the next ones succeed."""
    running = stacks["1.16.1"]
    made = Counted(running)
    start(running, "seq", "aborted", {"steps": 1, "sleep": 0.5})
    until(lambda: running.executions("aborted"))
    Switches(running).set("drop_app_stream")
    finish(running, "aborted")
    until(lambda: made.scrape().value(REMINDERS, success="false") == 1)
    statuses = ("recoverable", "success")
    assert [made.value(ACTIVITIES, status=each) for each in statuses] == [1, 1]
    assert made.value(ENDED, status="recoverable") == 0
