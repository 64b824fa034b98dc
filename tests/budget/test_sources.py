"""Laws of stopping instances at their source, on a real scheduler."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from budget.metrics import Metrics
from budget.scopes import ScopeKind
from budget.sources import CALL_TIMEOUT_S, SourceStopper
from budget.store.link import RedisLink
from budget.store.stops import StopQueue
from budget.store.store import Store
from budget.store.switches import Order, Switches
from scheduler_api import ActivityJob, SchedulerClient
from tests.budget.conftest import StartGateway
from tests.budget.executions import execute, listed, schedule, view
from tests.budget.gateways import RunningGateway, until, wait_until
from tests.sidecar.scheduler.harness import Scheduler, scheduler
from tests.support.ports import free_port

WHO = {"reason": "runs away", "actor": "ann"}


@pytest.fixture(params=["1.16.1", "1.18.3"])
def jobs(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    """Give a scheduler of each version."""
    with scheduler(tmp_path / "jobs", request.param) as running:
        yield running


def strict(start_gateway: StartGateway, address: str, **settings: str) -> RunningGateway:
    """Start a gateway that stops an instance at the second execution."""
    return start_gateway(
        BUDGET_CAP_USD="1",
        BUDGET_ZOMBIE_EXECUTIONS="2",
        BUDGET_SCHEDULER_ADDRESS=address,
        **settings,
    )


def stop(gateway: RunningGateway, instance: str, **body: str) -> httpx.Response:
    """Ask for a stop."""
    return gateway.http.post(f"{gateway.url}/instances/{instance}/stop", json={**WHO, **body})


def resume(gateway: RunningGateway, instance: str) -> None:
    """Let an instance call again."""
    body = {"scope": "instance", "id": instance, **WHO}
    gateway.http.post(f"{gateway.url}/resume", json=body).raise_for_status()


def source(gateway: RunningGateway, instance: str) -> dict[str, Any]:
    """Return the stop of an instance."""
    found: dict[str, Any] = view(gateway, instance)["source"]
    return found


def ended(gateway: RunningGateway, instance: str) -> dict[str, Any]:
    """Wait until a stop has ended, and return it."""
    wait_until(lambda: source(gateway, instance)["state"] != "pending", "the stop has ended")
    return source(gateway, instance)


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


def test_many_instances_are_stopped_together(start_gateway: StartGateway, jobs: Scheduler) -> None:
    """Each with its own jobs, a fan-out as well; the control keeps all of its own."""
    gateway = strict(start_gateway, jobs.address)
    names = [f"run-{number}" for number in range(12)]
    for name in [*names, "run"]:
        schedule(jobs, gateway.app, *(f"{name}::{task}::1" for task in (1, 2, 3)))
    assert execute(gateway, "run").status_code == 200
    for _ in range(2):
        for name in names:
            execute(gateway, name)
    assert {ended(gateway, name)["jobs_deleted"] for name in names} == {3}
    assert listed(jobs, gateway.app) == ["run::1::1", "run::2::1", "run::3::1"]
    assert view(gateway, "run")["state"] == "live"


def test_an_operator_stops_an_instance_that_never_called(
    start_gateway: StartGateway, jobs: Scheduler
) -> None:
    """The body or BUDGET_APP_ID tells its app; the answer is the document, with the outcome."""
    gateway = strict(start_gateway, jobs.address)
    schedule(jobs, gateway.app, "a::1::1", "a::b::1::1", "a::b::1::2")
    unknown = stop(gateway, "a")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (409, "unknown_app")
    assert "BUDGET_APP_ID" in unknown.json()["error"]["message"]
    assert execute(gateway, "a").json()["error"]["code"] == "budget_killed"
    document = stop(gateway, "a%3A%3Ab", app=gateway.app).json()
    assert (document["instance"], document["state"]) == ("a::b", "killed")
    assert (document["source"]["state"], document["source"]["jobs_deleted"]) == ("stopped", 2)
    assert [job["generation"] for job in document["source"]["jobs"]] == [1, 2]
    assert listed(jobs, gateway.app) == ["a::1::1"]
    assert stop(gateway, "a%3A%3Ab").json()["source"]["jobs_deleted"] == 0


def test_an_app_that_the_calls_did_not_name_is_refused(
    start_gateway: StartGateway, jobs: Scheduler
) -> None:
    """A mistyped app would find no job and look like a stop; the kill is in force all the same."""
    gateway = strict(start_gateway, jobs.address)
    schedule(jobs, gateway.app, "w::1::1")
    assert execute(gateway, "w").status_code == 200
    refused = stop(gateway, "w", app="another")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "another_app")
    assert view(gateway, "w")["state"] == "killed"
    assert stop(gateway, "w").json()["source"]["jobs_deleted"] == 1
    named = start_gateway(BUDGET_SCHEDULER_ADDRESS=jobs.address, BUDGET_APP_ID=gateway.app)
    assert stop(named, "a").json()["source"]["state"] == "stopped"
    assert listed(jobs, gateway.app) == []


def test_without_its_scheduler_a_stop_is_pending_until_it_is_back(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """The kill is in force, the reason is told, and the jobs go as soon as they can."""
    port = free_port()
    gateway = strict(start_gateway, f"127.0.0.1:{port}")
    document = stop(gateway, "w", app=gateway.app).json()
    assert (document["state"], document["source"]["state"]) == ("killed", "pending")
    assert str(port) in document["source"]["error"]
    assert document["source"]["attempts"] >= 2
    assert execute(gateway, "w").status_code == 402
    assert execute(gateway, "other").status_code == 200
    with scheduler(tmp_path / "jobs", SCHEDULER_PORT=str(port)) as jobs:
        schedule(jobs, gateway.app, "w::1::1", "w2::1::1")
        document = stop(gateway, "w").json()
        assert document["source"]["state"] == "stopped"
        assert listed(jobs, gateway.app) == ["w2::1::1"]


@contextlib.contextmanager
def hung(jobs: Scheduler) -> Iterator[None]:
    """Let a scheduler hang: its connections stand, and nobody answers."""
    jobs.service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        jobs.service.process.send_signal(signal.SIGCONT)


def connected(start_gateway: StartGateway, jobs: Scheduler) -> RunningGateway:
    """Start a gateway that has stopped an instance at its source already."""
    gateway = strict(start_gateway, jobs.address)
    assert stop(gateway, "first", app=gateway.app).json()["source"]["state"] == "stopped"
    return gateway


def is_under_way(store: redis.Redis, instance: str) -> bool:
    """Whether a gateway is at a stop at this moment: it took it, and has not reported."""
    return store.hmget(f"{{budget}}:stop:{instance}", "attempts", "taken") == [b"1", b"1"]


def test_a_pending_stop_outlives_its_gateway(
    start_gateway: StartGateway, jobs: Scheduler, redis_url: str
) -> None:
    """Killed between mark and deletion: any gateway on the same store takes it up."""
    gateway = connected(start_gateway, jobs)
    schedule(jobs, gateway.app, "w::1::1", "w2::1::1")
    store = redis.Redis.from_url(redis_url)
    with hung(jobs):
        assert [execute(gateway, "w").status_code for _ in range(2)] == [200, 402]
        wait_until(lambda: is_under_way(store, "w"), "an attempt is under way")
        gateway.service.kill()
        assert is_under_way(store, "w")
    store.zadd("{budget}:stops", {"{budget}:stop:w": 0})
    store.close()
    other = strict(start_gateway, jobs.address)
    found = ended(other, "w")
    assert (found["state"], found["jobs_deleted"], found["attempts"]) == ("stopped", 1, 2)
    assert listed(jobs, gateway.app) == ["w2::1::1"]


def test_a_scheduler_that_hangs_blocks_neither_calls_nor_the_end(
    start_gateway: StartGateway, jobs: Scheduler, redis_url: str
) -> None:
    """Stops are made beside the data path; SIGTERM does not wait for one that is under way."""
    gateway, store = connected(start_gateway, jobs), redis.Redis.from_url(redis_url)
    with hung(jobs):
        assert [execute(gateway, "w").status_code for _ in range(2)] == [200, 402]
        wait_until(lambda: is_under_way(store, "w"), "an attempt is under way")
        assert gateway.chat().elapsed.total_seconds() < 1
        assert is_under_way(store, "w")
        gateway.service.process.send_signal(signal.SIGTERM)
        assert gateway.service.process.wait(CALL_TIMEOUT_S - 1) == 0
        assert is_under_way(store, "w")
    store.close()


def test_a_zombie_that_still_calls_is_stopped_again(
    start_gateway: StartGateway, tmp_path: Path, redis_url: str
) -> None:
    """Not at once, for what was running may end; a minute later it has got new jobs."""
    with scheduler(tmp_path / "jobs") as jobs:
        gateway = strict(start_gateway, jobs.address)
        for _ in range(2):
            execute(gateway, "w")
        assert ended(gateway, "w")["jobs_deleted"] == 0
        schedule(jobs, gateway.app, "w::1::1")
        execute(gateway, "w")
        assert source(gateway, "w")["attempts"] == 1
        client = redis.Redis.from_url(redis_url)
        client.hincrby("{budget}:stop:w", "ended", -60_000)
        client.close()
        execute(gateway, "w")
        wait_until(lambda: listed(jobs, gateway.app) == [], "the new job is deleted")


def test_an_instance_that_is_marked_again_is_stopped_again_at_once(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """A resume in between makes it another runaway, however short ago the last one was stopped."""
    with scheduler(tmp_path / "jobs") as jobs:
        gateway = strict(start_gateway, jobs.address)
        for _ in range(2):
            execute(gateway, "w")
        assert ended(gateway, "w")["state"] == "stopped"
        resume(gateway, "w")
        schedule(jobs, gateway.app, "w::1::1")
        for _ in range(2):
            execute(gateway, "w")
        wait_until(lambda: listed(jobs, gateway.app) == [], "the new job is deleted")


def test_a_resumed_instance_is_not_stopped_any_more(start_gateway: StartGateway) -> None:
    """Its pending stop ends, and the feed tells why."""
    gateway = strict(start_gateway, f"127.0.0.1:{free_port()}")
    for _ in range(2):
        execute(gateway, "w")
    resume(gateway, "w")
    found = source(gateway, "w")
    assert (found["state"], found["error"]) == ("failed", "the instance was resumed")
    last = gateway.get("/trips")["trips"][-1]
    assert (last["kind"], last["reason"]) == ("source_stop", "failed")


def test_a_zombie_without_an_app_tells_what_is_missing(start_gateway: StartGateway) -> None:
    """Nobody can know in which app's jobs to look."""
    gateway = strict(start_gateway, f"127.0.0.1:{free_port()}")
    for _ in range(2):
        execute(gateway, "w", app="")
    found = ended(gateway, "w")
    assert found["state"] == "failed"
    assert "BUDGET_APP_ID" in found["error"]


def test_a_stop_that_can_not_be_read_holds_up_no_other(
    start_gateway: StartGateway, tmp_path: Path, redis_url: str
) -> None:
    """Whatever goes wrong in one round, the log has it and there is a next one."""
    with scheduler(tmp_path / "jobs") as jobs:
        gateway = strict(start_gateway, jobs.address)
        client = redis.Redis.from_url(redis_url, decode_responses=True)
        key = "{budget}:stop:damaged"
        for field, value in {"state": "pending", "id": "damaged", "app": "a", "jobs": "["}.items():
            client.hset(key, field, value)
        client.zadd("{budget}:stops", {"{budget}:stop:without-a-record": 0, key: 1})
        wait_until(lambda: "stopper_failed" in gateway.service.log.read_text(), "the log has it")
        assert client.zrange("{budget}:stops", 0, -1) == [key]
        client.close()
        schedule(jobs, gateway.app, "w::1::1")
        for _ in range(2):
            execute(gateway, "w")
        assert ended(gateway, "w")["state"] == "stopped"
        assert listed(jobs, gateway.app) == []


class FirstListingFails(SchedulerClient):
    """A client with a defect."""

    _is_first = True

    def list_activity_jobs(self, app_id: str, namespace: str = "default") -> list[ActivityJob]:
        """Fail the first time, with an error that no client of ours raises."""
        if self._is_first:
            self._is_first = False
            raise RuntimeError("a defect")
        return super().list_activity_jobs(app_id, namespace)


async def test_a_defect_in_an_attempt_is_told_and_tried_again(
    store: Store, link: RedisLink, redis_url: str, tmp_path: Path
) -> None:
    """The stop says what went wrong, and the next attempt ends it."""
    assert store
    client, errors = redis.Redis.from_url(redis_url, decode_responses=True), set[bytes | str]()

    def is_stopped() -> bool:
        found = client.hgetall("{budget}:stop:w")
        errors.add(found["error"])
        return found["state"] == "stopped"

    with scheduler(tmp_path / "jobs") as jobs:
        schedule(jobs, "lab", "w::1::1")
        order = Order(ScopeKind.INSTANCE, "w", "runs away", "ann")
        await Switches(link).kill_at_source(order, "lab")
        stopper = SourceStopper(
            StopQueue(link),
            jobs.address,
            "default",
            "",
            Metrics(),
            wake=asyncio.Event(),
            connect=FirstListingFails,
        )
        task = asyncio.create_task(stopper.run())
        await until(is_stopped, "the next attempt has ended it")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert listed(jobs, "lab") == []
    client.close()
    assert "RuntimeError: a defect" in errors
