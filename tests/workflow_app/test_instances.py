from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_app.instances import NOT_FOUND, EngineView, Instance, Instances


def made(limit: int = 100) -> Instances:
    return Instances(limit=limit, first=1)


def start(instances: Instances, instance_id: str = "a") -> None:
    instances.started(instance_id, name="agent", given={"steps": 1}, at_unix_ms=5)


def restart(instances: Instances, before: Instance | None) -> None:
    instances.started(
        "a", name="agent", given={}, at_unix_ms=10, accepted_unix_ms=20, before=before
    )


def execute(instances: Instances, *, refused: bool = False) -> None:
    instances.execution_began("a", name="agent", at_unix_ms=6)
    instances.execution_ended("a", refused=refused)


def only(instances: Instances) -> dict[str, Any]:
    [entry] = instances.read(0, 10).entries
    return entry


def test_an_instance_stands_in_the_feed_once_at_its_latest_change() -> None:
    """A watcher reads one entry for each instance that changed, however often it did."""
    instances = made()
    start(instances, "a")
    start(instances, "b")
    cursor = instances.read(0, 10).next
    instances.execution_began("a", name="agent", at_unix_ms=6)
    instances.execution_ended("a", refused=True)
    assert [entry["instance_id"] for entry in instances.read(0, 10).entries] == ["b", "a"]
    [entry] = instances.read(cursor, 10).entries
    assert entry["app"] == {
        "executions": 1,
        "refusals": 1,
        "in_flight": 0,
        "last_execution_unix_ms": 6,
        "finished": False,
    }


def test_the_engines_word_does_not_change_what_the_app_saw() -> None:
    """After expiry the two differ, and both are shown."""
    instances = made()
    start(instances)
    instances.function_returned("a", name="agent")
    instances.engine_said("a", EngineView(NOT_FOUND, 9))
    entry = only(instances)
    assert (entry["engine"]["status"], entry["app"]["finished"]) == (NOT_FOUND, True)


def test_only_a_new_status_is_a_change() -> None:
    """Asking again moves the time of the question, not the cursor."""
    instances = made()
    start(instances)
    instances.engine_said("a", EngineView("RUNNING", 9))
    cursor = only(instances)["seq"]
    instances.engine_said("a", EngineView("RUNNING", 10))
    assert instances.read(cursor, 10).entries == []
    assert only(instances)["engine"]["checked_unix_ms"] == 10


def test_an_execution_tells_of_an_instance_that_another_process_started() -> None:
    """What runs is shown, and what is not known of it is null."""
    instances = made()
    instances.execution_began("a", name="agent", at_unix_ms=6)
    entry = only(instances)
    assert (entry["name"], entry["started_unix_ms"], entry["app"]["in_flight"]) == (
        "agent",
        None,
        1,
    )


def test_an_execution_that_began_before_the_start_was_answered_is_kept() -> None:
    """The engine answers a start after the first turn, so activities may be ahead of it."""
    instances = made()
    instances.execution_began("a", name="agent", at_unix_ms=4)
    start(instances)
    entry = only(instances)
    assert (entry["started_unix_ms"], entry["app"]["in_flight"]) == (5, 1)


def test_open_instances_take_turns() -> None:
    """However small the batch, every open instance is asked about, and no ended one."""
    instances = made()
    for instance_id in "abcd":
        start(instances, instance_id)
    instances.engine_said("d", EngineView("COMPLETED", 9))
    turns = [instances.next_open(2) for _ in range(3)]
    assert turns == [["a", "b"], ["c", "a"], ["b", "c"]]


def test_not_found_stays_open() -> None:
    """With a live sidecar an unknown workflow may still run and be known again."""
    instances = made()
    start(instances)
    instances.engine_said("a", EngineView(NOT_FOUND, 9))
    assert instances.next_open(1) == ["a"]
    instances.purged("a", EngineView(NOT_FOUND, 10))
    assert instances.next_open(1) == []


def test_an_id_can_be_used_again_after_its_end() -> None:
    """A new workflow does not inherit what its namesake did."""
    instances = made()
    start(instances)
    instances.function_returned("a", name="agent")
    instances.engine_said("a", EngineView("COMPLETED", 9))
    before = instances.get("a")
    assert only(instances)["app"]["finished"]
    restart(instances, before)
    assert not only(instances)["app"]["finished"]
    assert only(instances)["engine"]["status"] is None
    assert instances.next_open(10) == ["a"]


@pytest.mark.parametrize("status", [NOT_FOUND, "RUNNING", "COMPLETED", None])
def test_an_accepted_start_begins_a_new_count_whatever_was_known(status: str | None) -> None:
    """An expired id, or one whose end was not seen yet, counts from its new start."""
    instances = made()
    start(instances)
    execute(instances)
    execute(instances, refused=True)
    instances.execution_began("a", name="agent", at_unix_ms=7)
    instances.function_returned("a", name="agent")
    instances.engine_said("a", EngineView(status, 9))
    before = instances.get("a")
    execute(instances)
    instances.function_returned("a", name="agent")
    restart(instances, before)
    assert only(instances)["app"] == {
        "executions": 1,
        "refusals": 0,
        "in_flight": 1,
        "last_execution_unix_ms": 6,
        "finished": True,
    }
    assert only(instances)["engine"]["status"] is None


def test_an_answer_about_the_former_run_is_not_taken_for_the_new_one() -> None:
    """What the engine was asked before it accepted the start may be about the former run."""
    instances = made()
    start(instances)
    restart(instances, instances.get("a"))
    instances.engine_said("a", EngineView("COMPLETED", 20))
    assert instances.next_open(1) == ["a"]
    instances.engine_said("a", EngineView("COMPLETED", 21))
    assert instances.next_open(1) == []


def test_what_ended_is_forgotten_before_what_is_open() -> None:
    """The bound takes the settled first, and tells what it took."""
    instances = made(limit=2)
    start(instances, "open")
    start(instances, "ended")
    instances.engine_said("ended", EngineView("FAILED", 9))
    start(instances, "new")
    page = instances.read(0, 10)
    assert [entry["instance_id"] for entry in page.entries] == ["open", "new"]
    assert page.dropped == 1


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40))
def test_the_bound_holds_whatever_happens(events: list[tuple[str, bool]]) -> None:
    """Never more than the limit is kept, and every kept open instance has its turn."""
    instances = made(limit=3)
    for instance_id, ends in events:
        start(instances, instance_id)
        if ends:
            instances.engine_said(instance_id, EngineView("COMPLETED", 1))
    entries = instances.read(0, 100).entries
    assert len(entries) <= 3
    still_open = {each["instance_id"] for each in entries if each["engine"]["status"] is None}
    assert set(instances.next_open(100)) == still_open
