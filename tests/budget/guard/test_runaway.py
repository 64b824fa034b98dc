"""The guard on a Dapr that runs away: profile 1.16.1, state that expires, a killed sidecar."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from budget.guard import ActivityGuard
from budget.guard.counts import FileCounts
from scheduler_api import SchedulerClient
from sidecar.testing import running_sidecar
from sidecar.testing.running import RunningSidecar
from tests.budget.gateways import wait_until
from tests.support.ports import free_port

LOST = [f"lost-{number}" for number in range(3)]
LIMIT = 3
TTL_S = 2


class Provider:
    """Counts paid calls of each instance; those of the lost ones take until their state is gone."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.may_end = threading.Event()
        self._lock = threading.Lock()

    def call(self, instance: str) -> str:
        """Pay."""
        with self._lock:
            self.calls[instance] += 1
        if instance in LOST:
            self.may_end.wait(30)
        return "an answer"


class CountingCounts:
    """Real counts that a test can look into."""

    def __init__(self, path: Path) -> None:
        self._counts = FileCounts(path)
        self.deliveries = 0

    def count(self, key: str) -> int:
        """Count."""
        found = self._counts.count(key)
        self.deliveries = max(self.deliveries, found)
        return found

    def close(self) -> None:
        """Close."""
        self._counts.close()


def activity_of(provider: Provider, *, is_async: bool = False) -> Callable[..., Any]:
    """Return an activity that calls the provider."""

    def think(ctx: Any, _prompt: str) -> str:
        return provider.call(ctx.workflow_id)

    async def think_async(ctx: Any, _prompt: str) -> str:
        return await asyncio.to_thread(provider.call, ctx.workflow_id)

    return think_async if is_async else think


@contextmanager
def runaway(
    activity: Callable[..., Any], provider: Provider, dapr: RunningSidecar
) -> Iterator[Any]:
    """Let three workflows lose their state while their activity is under way."""

    def agent(ctx: Any, steps: int) -> Any:
        answers = []
        for number in range(steps):
            answer = yield ctx.call_activity(activity, input=f"step {number}")
            answers.append(answer)
        return answers

    with dapr.app([agent], [activity]) as client:
        for each in LOST:
            client.schedule_new_workflow(agent, input=2, instance_id=each)
        wait_until(lambda: set(provider.calls) == set(LOST), "all are under way")
        dapr.kill()
        dapr.expire_state()
        dapr.start()
        dapr.wait_for_app()
        provider.may_end.set()
        healthy = client.schedule_new_workflow(agent, input=5, instance_id="healthy")
        yield client
        state = client.wait_for_workflow_completion(healthy, timeout_in_seconds=30)
        assert state is not None
        assert json.loads(state.serialized_output) == ["an answer"] * 5


def pending(dapr: RunningSidecar) -> list[str]:
    """Return the instances whose activities the scheduler would deliver."""
    with SchedulerClient(dapr.scheduler_address) as jobs:
        found = jobs.list_activity_jobs(dapr.options.app_id)
    return [job.instance_id for job in found if job.instance_id in LOST]


@pytest.mark.parametrize("kind", ["file", "redis", "async"])
def test_executions_end_at_the_limit_and_the_jobs_are_gone(
    tmp_path: Path, kind: str, redis_url: str
) -> None:
    """Without a gateway; a workflow beside them completes untouched."""
    provider = Provider()
    with running_sidecar("1.16.1", ttl_s=TTL_S) as dapr:
        guard = ActivityGuard(
            LIMIT,
            counts=redis_url if kind == "redis" else tmp_path / "counts.sqlite3",
            scheduler_address=dapr.scheduler_address,
            app_id=dapr.options.app_id,
        )
        activity = guard(activity_of(provider, is_async=kind == "async"))
        with runaway(activity, provider, dapr):
            wait_until(lambda: not pending(dapr), "the jobs are gone")
        # Nothing is left that could deliver them, and a restart brings none back.
        dapr.restart_scheduler()
        assert not pending(dapr)
        assert provider.calls == {**dict.fromkeys(LOST, LIMIT), "healthy": 5}
        guard.close()


def test_without_the_guard_they_go_on() -> None:
    """The control: the same runaway passes the limit, and its jobs stay."""
    provider = Provider()
    with running_sidecar("1.16.1", ttl_s=TTL_S) as dapr:
        with runaway(activity_of(provider), provider, dapr):
            wait_until(
                lambda: all(provider.calls[each] > LIMIT + 1 for each in LOST), "they run away"
            )
        assert sorted(pending(dapr)) == LOST


def test_without_a_scheduler_they_are_delivered_and_not_paid(tmp_path: Path) -> None:
    """The function is not called past the limit though the job can't be deleted."""
    provider = Provider()
    counts = CountingCounts(tmp_path / "counts.sqlite3")
    with running_sidecar("1.16.1", ttl_s=TTL_S) as dapr:
        guard = ActivityGuard(
            LIMIT,
            counts=counts,
            scheduler_address=f"127.0.0.1:{free_port()}",
            app_id=dapr.options.app_id,
        )
        with runaway(guard(activity_of(provider)), provider, dapr):
            wait_until(lambda: counts.deliveries > LIMIT + 2, "it is delivered past the limit")
        assert sorted(pending(dapr)) == LOST
        assert provider.calls == {**dict.fromkeys(LOST, LIMIT), "healthy": 5}
        guard.close()
