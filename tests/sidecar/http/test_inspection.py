"""What the admin routes show of instances and jobs."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.sidecar.conftest import KEPT_S
from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import Stack, until

OURS = "seen-"


@pytest.fixture(scope="module")
def running(stacks: Mapping[str, Stack]) -> Iterator[Stack]:
    """Give a stack with an ended instance, one that waits and one whose activity runs."""
    made = stacks["1.16.1"]
    hold = made.directory / "hold"
    hold.touch()
    start(made, "seq", "seen-1", {"steps": 1})
    finish(made, "seen-1")
    start(made, "ext", "seen-2")
    start(made, "seq", "seen-3", {"steps": 1, "hold": str(hold)})
    until(lambda: made.executions("seen-3"))
    yield made
    hold.unlink()
    made.client.terminate_workflow("seen-2")
    # Others count on this stack what ends from now on.
    finish(made, "seen-3")


def _get(running: Stack, what: str, **query: Any) -> httpx.Response:
    url = running.health_url.replace("v1.0/healthz", f"admin/{what}")
    return httpx.get(url, params={"prefix": OURS} | query, timeout=5)


def _instances(running: Stack, **query: Any) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in _get(running, "instances", **query).json()["instances"]}


def test_an_instance_is_shown_with_its_state(running: Stack) -> None:
    """Ended, it is stored alone; open, it is in memory too."""
    shown = _instances(running)
    assert list(shown) == ["seen-1", "seen-2", "seen-3"]
    done = shown["seen-1"]
    assert KEPT_S - 60 < done.pop("metadata_ttl_s") <= KEPT_S
    assert done == {
        "id": "seen-1",
        "name": "seq",
        "status": "COMPLETED",
        "generation": 1,
        "history_length": 6,
        "inbox_length": 0,
        "in_memory": False,
        "stored": True,
        "in_flight": [],
    }
    assert (shown["seen-2"]["status"], shown["seen-2"]["name"]) == ("RUNNING", "ext")
    assert shown["seen-2"]["in_memory"]


def test_an_activity_in_flight_is_shown_with_its_execution(running: Stack) -> None:
    """Which task, how long it runs, and how often it was begun."""
    (work,) = _instances(running)["seen-3"]["in_flight"]
    assert work.pop("since_ms") >= 0
    (known,) = running.executions("seen-3")
    assert work == {
        "kind": "activity",
        "task_id": 1,
        "name": "act",
        "execution_id": known["execution_id"],
        "execution": 1,
    }


def test_pages_follow_the_order_of_ids(running: Stack) -> None:
    """The last id of a page asks for the next."""
    first = _get(running, "instances", limit=2).json()
    assert [each["id"] for each in first["instances"]] == ["seen-1", "seen-2"]
    assert (first["total"], first["next"]) == (3, "seen-2")
    last = _get(running, "instances", limit=2, after=first["next"]).json()
    assert [each["id"] for each in last["instances"]] == ["seen-3"]
    assert last["next"] is None
    assert list(_instances(running, prefix="seen-2")) == ["seen-2"]


def test_jobs_are_those_of_the_scheduler(running: Stack) -> None:
    """The activity's, and the waiting workflow's timer; both can be filtered."""
    listed = _get(running, "jobs").json()
    shown = {each["actor_id"]: each for each in listed["jobs"]}
    assert set(shown) == {"seen-2", "seen-3::1::1"}
    activity = shown["seen-3::1::1"]
    assert activity["actor_type"] == "dapr.internal.default.lab.activity"
    assert activity["name"] == "run-activity"
    assert activity["data_bytes"] > 0
    assert [each["actor_id"] for each in _get(running, "jobs", prefix="seen-2").json()["jobs"]] == [
        "seen-2"
    ]
    assert _get(running, "jobs", limit=1).json()["total"] == 2


@pytest.mark.parametrize("what", ["instances", "jobs"])
def test_every_bad_filter_is_named_at_once(running: Stack, what: str) -> None:
    """400, with the bounds."""
    for bad in (0, 1001, "x"):
        refused = _get(running, what, limit=bad, colour="red")
        assert refused.status_code == 400
        message = refused.json()["error"]["message"]
        assert "limit: " in message
        assert "colour: " in message


def test_what_memory_has_is_shown_without_a_store(running: Stack) -> None:
    """With the store's own words."""
    admin = running.health_url.replace("v1.0/healthz", "admin/faults")
    httpx.post(f"{admin}/failing_store", json={"share": 1}, timeout=5)
    page = _get(running, "instances").json()
    httpx.delete(admin, timeout=5)
    assert "failed on purpose" in page["store_error"]
    assert [each["id"] for each in page["instances"]] == ["seen-2", "seen-3"]
