"""Collects the evidence of an arm from its services, once nothing moves any more."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from lab.arm_plan import ArmPlan
from lab.evidence import ArmEvidence
from lab.load import Load
from lab.recorder import Recorder
from lab.stack_config import APP_ID, NAMESPACE, StackConfig
from scheduler_api import SchedulerApiError, SchedulerClient


def collect(
    plan: ArmPlan,
    recorder: Recorder,
    load: Load,
    *,
    last_words: Mapping[str, Mapping[str, Any]],
    seen: Mapping[str, object],
    missing: Sequence[str],
) -> ArmEvidence:
    """Return all that an arm saw.

    Args:
        plan: the arm.
        recorder: the feeds of its services.
        load: its Locust process, which has ended.
        last_words: the workflows as they were told of while the engine still lived; the lab takes
            it away before what runs comes to its end.
        seen: what only the arm itself knows: times, what was done, what was still pending.
        missing: feeds that are known to be incomplete, with the reason.

    Raises:
        httpx.HTTPError: a service did not answer.
    """
    recorder.catch_up()
    workflows = recorder.workflows()
    return ArmEvidence.model_validate(
        {
            **seen,
            "arm": plan.arm,
            "scenario": plan.scenario,
            **{
                name: recorder.feeds[name].items
                for name in ("calls", "executions", "decisions", "ledger")
            },
            "spend": recorder.get(f"{plan.config.url('fake_llm')}/spend"),
            "budget": budget_line(recorder, plan.config),
            "instances": instance_views(recorder, plan.config, list(workflows))
            if plan.arm == "full"
            else (),
            "workflows": [
                {**w, "engine": last_words.get(name, w)["engine"]} for name, w in workflows.items()
            ],
            "keys": recorder.polls,
            "load": load.result(),
            "missing": [*missing, *recorder.missing],
        }
    )


def budget_line(recorder: Recorder, config: StackConfig) -> dict[str, Any]:
    """Return the gateway's global scope."""
    answer = recorder.get(f"{config.url('budget')}/budgets")
    first: dict[str, Any] = answer["budgets"][0]
    return first


def instance_views(
    recorder: Recorder, config: StackConfig, instance_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what the gateway says of each instance that it knows."""
    views = []
    for instance_id in instance_ids:
        url = f"{config.url('budget')}/instances/{quote(instance_id, safe='')}"
        try:
            views.append(recorder.get(url))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
    return views


def pending_jobs(config: StackConfig, healthy: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return the activity jobs that the scheduler holds, but for those of healthy workflows.

    None when it does not answer.
    """
    try:
        with SchedulerClient(f"127.0.0.1:{config.ports.scheduler}") as scheduler:
            jobs = scheduler.list_activity_jobs(APP_ID, NAMESPACE)
    except SchedulerApiError:
        return None
    return [
        {
            "instance_id": job.instance_id,
            "task_id": job.task_id,
            "activity": job.activity,
            "execution_id": job.execution_id,
        }
        for job in jobs
        if job.instance_id not in healthy
    ]
