"""`pipeline` on the embedded engine; the fake LLM's ledger is witness."""

from typing import Any

import pytest

from tests.workflow_app.stack import Stack, until

pytestmark = pytest.mark.timeout(60, func_only=True)


def start(house: Stack, instance_id: str, **given: Any) -> None:
    body = {"name": "pipeline", "id": instance_id, "input": {"max_tokens": 10, **given}}
    assert house.app.post("/workflows", json=body).status_code == 202


def calls(house: Stack, root: str) -> list[dict[str, Any]]:
    journal: list[dict[str, Any]] = house.llm.get("/calls?limit=10000").json()["calls"]
    return [call for call in journal if call["root"] == root]


def test_a_pipeline_reads_each_document_in_a_child_and_sums_up(house: Stack) -> None:
    """Each chunk and each merge is one call; every call names the outermost parent as its root."""
    start(house, "library", documents=3, chunks=4)
    entry = house.until_status("library", "COMPLETED")
    assert (entry["output"]["documents"], entry["output"]["output_tokens"]) == (3, 160)
    made = calls(house, "library")
    by_instance = {name: [c for c in made if c["instance"] == name] for name in _instances(made)}
    sizes = {name: len(each) for name, each in by_instance.items()}
    assert sizes == {"library": 1, "library.001": 5, "library.002": 5, "library.003": 5}
    assert {each["workflow"] for each in by_instance["library.002"]} == {"document"}
    assert len({each["idempotency_key"] for each in made}) == 16


def _instances(made: list[dict[str, Any]]) -> set[str]:
    return {each["instance"] for each in made}


def test_each_level_waits_for_the_one_below(house: Stack) -> None:
    """A merge begins after its chunks have ended, the summary after all merges."""
    start(house, "levels", documents=2, chunks=3)
    house.until_status("levels", "COMPLETED")
    made = sorted(calls(house, "levels"), key=lambda each: int(each["started_unix_ms"]))
    for child in ("levels.001", "levels.002"):
        *chunks, merge = [each for each in made if each["instance"] == child]
        assert max(each["ended_unix_ms"] for each in chunks) <= merge["started_unix_ms"]
    *before, summary = made
    assert summary["instance"] == "levels"
    assert max(each["ended_unix_ms"] for each in before) <= summary["started_unix_ms"]


def test_children_stand_in_the_feed(house: Stack) -> None:
    """This process executed their activities, so it tells of them what the engine says."""
    start(house, "family", documents=2, chunks=1)
    house.until_status("family", "COMPLETED")

    def settled() -> bool:
        entries = house.app.get("/workflows?limit=10000").json()["workflows"]
        found = {each["instance_id"]: each for each in entries}
        children = [found[f"family.00{n}"] for n in (1, 2)]
        assert {each["name"] for each in children} == {"document"}
        return {each["engine"]["status"] for each in children} == {"COMPLETED"}

    until(settled, "both children are COMPLETED in the feed")


def test_a_terminated_pipeline_takes_its_children_along(house: Stack) -> None:
    """No child goes on to pay, and a purge leaves nothing of any of them."""
    start(house, "doomed", documents=2, chunks=50)
    until(lambda: house.executions("doomed.001"), "a child runs")
    assert house.app.post("/workflows/doomed/suspend").status_code == 202
    assert house.app.post("/workflows/doomed/terminate").status_code == 202
    for each in ("doomed", "doomed.001", "doomed.002"):
        house.until_status(each, "TERMINATED")
    assert house.app.post("/workflows/doomed/purge").status_code == 200
    for each in ("doomed", "doomed.001", "doomed.002"):
        assert house.workflow(each)["engine"]["status"] == "NOT_FOUND"
