"""Executions of activities as the gateway sees them, and jobs that cause them."""

from typing import Any
from urllib.parse import quote

import httpx

from tests.budget.gateways import RunningGateway
from tests.scheduler_api.test_jobs import bare, event
from tests.sidecar.scheduler.harness import Scheduler, schedule_request


def execute(
    gateway: RunningGateway,
    instance: str,
    *,
    task: int = 1,
    ordinal: int = 1,
    app: str | None = None,
    **fields: Any,
) -> httpx.Response:
    """Make the call of one execution of an activity."""
    request = gateway.request(instance=instance, **fields)
    request["headers"] |= {
        "X-Workflow-Instance": quote(instance, safe=""),
        "X-Workflow-App": gateway.app if app is None else app,
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
