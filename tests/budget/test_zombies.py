"""Laws of instances that run away: found by their executions, refused, stopped at their source."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway, wait_until
from tests.scheduler_api.test_jobs import bare, event
from tests.sidecar.scheduler.harness import Scheduler, schedule_request, scheduler


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Scheduler]:
    """Give a scheduler."""
    with scheduler(tmp_path / "jobs") as running:
        yield running


def schedule(jobs: Scheduler, app: str, *actor_ids: str) -> None:
    """Give an app pending activities."""
    for actor_id in actor_ids:
        kind = f"dapr.internal.default.{app}.activity"
        request = schedule_request(actor_id, "240h", actor_type=kind)
        request.job.data.CopyFrom(bare(event()))
        jobs.stub.ScheduleJob(request, timeout=10)


def listed(jobs: Scheduler, app: str) -> list[str]:
    """Return the pending activities of an app."""
    return sorted(jobs.list_keys(actor_type=f"dapr.internal.default.{app}.activity"))


def execute(
    gateway: RunningGateway, instance: str, *, task: int = 1, ordinal: int = 1, **fields: Any
) -> Any:
    """Make the call of one execution of an activity."""
    request = gateway.request(instance=instance, **fields)
    request["headers"] |= {
        "X-Workflow-Instance": quote(instance, safe=""),
        "X-Workflow-Activity": "think",
        "X-Workflow-Task-Id": str(task),
        "X-Workflow-Execution-Id": f"e-{task}",
        "Idempotency-Key": quote(f"{instance}:e-{task}:{task}:{ordinal}", safe=""),
    }
    return gateway.http.post(**request)


def view(gateway: RunningGateway, instance: str) -> dict[str, Any]:
    """Return what the gateway knows of an instance."""
    found: dict[str, Any] = gateway.get(f"/instances/{quote(instance, safe='')}")
    return found


def test_an_instance_is_stopped_at_its_source_and_its_neighbours_are_not(
    start_gateway: StartGateway, jobs: Scheduler
) -> None:
    """At the third execution: refused, its jobs deleted and proven gone, nobody else's."""
    gateway = start_gateway(
        BUDGET_CAP_USD="1", BUDGET_ZOMBIE_EXECUTIONS="3", BUDGET_SCHEDULER_ADDRESS=jobs.address
    )
    schedule(jobs, gateway.app, "w::1::1", "w::2::1", "w-1::1::1", "w1::1::1")
    answers = [execute(gateway, "w") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 402, 402]
    assert answers[1].headers["x-budget-replay"] == "true"
    refused = answers[2]
    assert refused.json()["error"]["code"] == "workflow_not_live"
    assert refused.headers["x-should-retry"] == "false"
    wait_until(lambda: view(gateway, "w")["source"]["state"] == "stopped", "it is stopped")
    assert listed(jobs, gateway.app) == ["w-1::1::1", "w1::1::1"]
    found = view(gateway, "w")
    assert (found["state"], found["app"], found["actor"]) == ("zombie", gateway.app, "gateway")
    assert (found["activities"], found["executions"], found["most_executions"]) == (1, 4, 4)
    assert (found["calls"], found["replays"], found["refusals"]) == (1, 1, 2)
    source = found["source"]
    assert (source["jobs_deleted"], source["jobs_left"], source["error"]) == (2, 0, None)
    assert [(j["task_id"], j["activity"]) for j in source["jobs"]] == [(1, "think"), (2, "think")]
    trips = gateway.get("/trips")["trips"]
    assert [(t["kind"], t["id"]) for t in trips] == [("zombie", "w"), ("source_stop", "w")]
    assert execute(gateway, "w-1").status_code == 200
    assert view(gateway, "w-1")["state"] == "live"
