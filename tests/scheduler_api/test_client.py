"""The client against real scheduler processes of both versions."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_api import (
    ActivityJob,
    AsyncSchedulerClient,
    SchedulerClient,
    SchedulerRefusedError,
    SchedulerUnreachableError,
)
from tests.scheduler_api.test_jobs import bare, event, wrapped
from tests.sidecar.scheduler.harness import Scheduler, schedule_request, scheduler
from tests.support.ports import free_port
from tests.support.slow_link import slow_link

KIND = "dapr.internal.default.{app}.activity"


@pytest.fixture(scope="module", params=["1.16.1", "1.18.3"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scheduler]:
    """Give a scheduler of each version."""
    with scheduler(tmp_path_factory.mktemp("scheduler"), request.param) as each:
        yield each


def pending(running: Scheduler, app: str, *actor_ids: str) -> None:
    """Schedule activities, with data of one version's form and then of the other's."""
    for index, each in enumerate(actor_ids):
        request = schedule_request(each, "240h", actor_type=KIND.format(app=app))
        request.job.data.CopyFrom((bare, wrapped)[index % 2](event()))
        running.stub.ScheduleJob(request, timeout=10)


def test_listing(running: Scheduler) -> None:
    """All pending activities of the app are listed, of no other app, with what they run."""
    pending(running, "list", "a::1::1", "b::2::1")
    pending(running, "lister", "c::1::1")
    with SchedulerClient(running.address) as client:
        jobs = client.list_activity_jobs("list")
        assert client.list_activity_jobs("list", namespace="other") == []
    assert [(each.instance_id, each.task_id, each.activity) for each in jobs] == [
        ("a", 1, "think"),
        ("b", 2, "think"),
    ]
    assert {each.execution_id for each in jobs} == {"e-1"}


def test_deleting_one(running: Scheduler) -> None:
    """A listed job, given back as it is, is deleted; again is no error."""
    pending(running, "one", "a::1::1", "b::1::1")
    with SchedulerClient(running.address) as client:
        first, second = client.list_activity_jobs("one")
        client.delete_activity_job(first)
        client.delete_activity_job(first)
        assert client.list_activity_jobs("one") == [second]


def test_deleting_an_instance(running: Scheduler) -> None:
    """All activities of exactly that instance go, fan-out and all; they are returned."""
    pending(running, "inst", "a::1::1", "a::2::1", "a-1::1::1", "a::b::1::1")
    with SchedulerClient(running.address) as client:
        deleted = client.delete_instance_jobs("inst", "a")
        assert [each.actor_id for each in deleted] == ["a::1::1", "a::2::1"]
        assert client.delete_instance_jobs("inst", "a") == []
        left = [each.actor_id for each in client.list_activity_jobs("inst")]
    assert sorted(left) == ["a-1::1::1", "a::b::1::1"]


async def test_the_same_with_asyncio(running: Scheduler) -> None:
    """The asyncio client lists and deletes as the blocking one does."""
    pending(running, "aio", "a::1::1", "b::1::1")
    async with AsyncSchedulerClient(running.address) as client:
        assert len(await client.list_activity_jobs("aio")) == 2
        assert [each.instance_id for each in await client.delete_instance_jobs("aio", "a")] == ["a"]
        (left,) = await client.list_activity_jobs("aio")
        await client.delete_activity_job(left)
        assert await client.list_activity_jobs("aio") == []
        with pytest.raises(SchedulerRefusedError, match="missing namespace or appID"):
            await client.list_activity_jobs("")


def test_large_listings(running: Scheduler) -> None:
    """A listing above gRPC's default of 4 MB arrives."""
    for index in range(3):
        request = schedule_request(f"{index}::1::1", "240h", actor_type=KIND.format(app="large"))
        request.job.data.CopyFrom(bare(event(2_000_000)))
        running.stub.ScheduleJob(request, timeout=10)
    with SchedulerClient(running.address) as client:
        assert len(client.list_activity_jobs("large")) == 3


def test_nobody_there() -> None:
    """Where nobody listens the error names the address."""
    address = f"127.0.0.1:{free_port()}"
    with (
        SchedulerClient(address) as client,
        pytest.raises(SchedulerUnreachableError, match=address) as error,
    ):
        client.list_activity_jobs("lab")
    assert error.value.address == address


def test_whoever_was_not_there_is_found_when_it_is_back(tmp_path: Path) -> None:
    """A client that failed again and again tries the next time, and soon."""
    port = free_port()
    with SchedulerClient(f"127.0.0.1:{port}") as client:
        for _ in range(30):
            with pytest.raises(SchedulerUnreachableError):
                client.list_activity_jobs("lab")
            time.sleep(0.1)
        with scheduler(tmp_path / "jobs", SCHEDULER_PORT=str(port)):
            deadline = time.monotonic() + 3
            while True:
                try:
                    assert client.list_activity_jobs("lab") == []
                    break
                except SchedulerUnreachableError:
                    assert time.monotonic() < deadline


def test_a_slow_link_is_waited_for(running: Scheduler) -> None:
    """A scheduler whose greeting takes half a second answers the first call."""
    pending(running, "slow", "a::1::1")
    with slow_link(running.address, 0.5) as address, SchedulerClient(address) as client:
        assert [job.instance_id for job in client.list_activity_jobs("slow")] == ["a"]


async def test_nobody_answers() -> None:
    """Where somebody listens who never answers, the deadline ends the call."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with SchedulerClient(address, timeout_s=0.3) as client:
            job = ActivityJob("a", 1, 1, "", "", KIND.format(app="lab"), "a::1::1")
            with pytest.raises(SchedulerUnreachableError, match=address):
                client.delete_activity_job(job)
        async with AsyncSchedulerClient(address, timeout_s=0.3) as client_too:
            with pytest.raises(SchedulerUnreachableError, match=address):
                await client_too.list_activity_jobs("lab")
        assert time.monotonic() - start < 5


def test_a_refusal_has_its_status(running: Scheduler) -> None:
    """What the scheduler refuses carries its status name and its words."""
    with (
        SchedulerClient(running.address) as client,
        pytest.raises(SchedulerRefusedError, match="missing namespace or appID") as error,
    ):
        client.list_activity_jobs("")
    assert error.value.code == "INVALID_ARGUMENT"
