"""The workflows on the embedded engine, behind the budget; the fake LLM's ledger is witness."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.workflow_app.stack import APP_ID, Stack, until

# Starting the house is bounded by itself; a test has its time once the house stands.
pytestmark = pytest.mark.timeout(60, func_only=True)


def start(house: Stack, instance_id: str, **given: Any) -> None:
    body = {"name": "agent", "id": instance_id, "input": given}
    answer = house.app.post("/workflows", json=body)
    assert (answer.status_code, answer.json()) == (
        202,
        {"instance_id": instance_id, "name": "agent"},
    )


def calls(house: Stack, instance_id: str) -> list[dict[str, Any]]:
    journal: list[dict[str, Any]] = house.llm.get("/calls?limit=10000").json()["calls"]
    return [call for call in journal if call["instance"] == instance_id]


def test_hello_calls_ten_rounds_of_three(house: Stack) -> None:
    """In the shape of the public reproduction, each activity paid once."""
    answer = house.app.post("/workflow/hello", json={"instance_id": "test-workflow-123"})
    assert answer.status_code == 200
    assert answer.json()["instance_id"] == "test-workflow-123"
    entry = house.until_status("test-workflow-123", "COMPLETED")
    assert (entry["name"], entry["output"]) == ("hello", "Done")
    assert (entry["app"]["executions"], entry["app"]["finished"]) == (30, True)
    made = calls(house, "test-workflow-123")
    assert len(made) == 30
    assert len({call["idempotency_key"] for call in made}) == 30
    assert {call["activity"] for call in made} == {"say_hello"}


def test_agent_runs_one_step_after_the_other(house: Stack) -> None:
    """Never two calls at once; each tells the gateway who it is, and costs the same."""
    start(house, "chain", steps=4, pause_s=0.1, prompt_tokens=300, max_tokens=20)
    entry = house.until_status("chain", "COMPLETED")
    assert entry["output"]["steps"] == 4
    assert entry["output"]["output_tokens"] == 80
    made = calls(house, "chain")
    times = [(call["started_unix_ms"], call["ended_unix_ms"]) for call in made]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(times))
    assert {(call["input_tokens"], call["output_tokens"]) for call in made} == {(300, 20)}
    for call in made:
        assert (call["app"], call["workflow"], call["root"]) == (APP_ID, "agent", "chain")
        key = f"chain:{call['execution_id']}:{call['task_id']}:1"
        assert call["idempotency_key"] == key


def test_a_402_ends_an_activity_at_once(house: Stack) -> None:
    """The incident's retry policy does not try a refused call again."""
    start(house, "poor", prompt_tokens=20_000, retry="incident")
    entry = house.until_status("poor", "FAILED")
    assert "402: request_exceeds_budget" in entry["failure"]
    assert (entry["app"]["executions"], entry["app"]["refusals"]) == (1, 1)
    [execution] = house.executions("poor")
    assert (execution["outcome"], execution["run"]) == ("refused", 1)
    assert calls(house, "poor") == []


def test_an_active_id_is_409_and_free_again_after_its_end(house: Stack) -> None:
    """The second workflow of an id inherits nothing of the first."""
    start(house, "twice", steps=500, pause_s=5)
    answer = house.app.post("/workflows", json={"name": "agent", "id": "twice"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "instance_active")
    assert house.app.post("/workflows/twice/terminate").status_code == 202
    house.until_status("twice", "TERMINATED")
    start(house, "twice", steps=1)
    entry = house.until_status("twice", "COMPLETED")
    assert entry["app"]["executions"] == 1


def test_a_workflow_is_purged_only_after_its_end(house: Stack) -> None:
    """Purging what runs is refused; what was purged is not known to the engine any more."""
    start(house, "purged", steps=500, pause_s=5)
    answer = house.app.post("/workflows/purged/purge")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "instance_not_ended")
    house.app.post("/workflows/purged/terminate")
    house.until_status("purged", "TERMINATED")
    assert house.app.post("/workflows/purged/purge").status_code == 200
    assert house.workflow("purged")["engine"]["status"] == "NOT_FOUND"


def test_an_unknown_instance_is_404(house: Stack) -> None:
    """Whatever is asked of it."""
    for method, path in [("GET", ""), ("POST", "/terminate"), ("POST", "/purge")]:
        answer = house.app.request(method, f"/workflows/never-started{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "unknown_instance"


def test_the_feed_follows_a_workflow_to_its_end(house: Stack) -> None:
    """A watcher that only reads the feed sees the end without asking for the instance."""
    cursor = house.app.get("/workflows?limit=10000").json()["next"]
    start(house, "watched", steps=2, pause_s=0)

    def ended() -> bool:
        nonlocal cursor
        page = house.app.get(f"/workflows?after={cursor}").json()
        assert all(entry["seq"] > cursor for entry in page["workflows"])
        cursor = page["next"]
        return any(
            entry["instance_id"] == "watched" and entry["engine"]["status"] == "COMPLETED"
            for entry in page["workflows"]
        )

    until(ended, "the end stands in the feed")


def test_metrics_count_and_name_no_instance(house: Stack) -> None:
    """Labels stay few however many instances there are."""
    start(house, "labelled", steps=1)
    house.until_status("labelled", "COMPLETED")
    text = house.app.get("/metrics").text
    assert 'workflow_app_workflows_started_total{workflow="agent"}' in text
    assert "workflow_app_sidecar_connected 1.0" in text
    assert "labelled" not in text


def test_the_app_outlives_its_sidecar(house: Stack) -> None:
    """While it is away starts are 503 and the engine's side is UNREACHABLE; then all goes on.

    The activity in flight when it went away is executed again, and the record says so.
    """
    start(house, "survivor", steps=300, pause_s=0)
    until(lambda: len(house.executions("survivor")) > 3, "it runs")
    house.kill("sidecar")
    health = {"status": "ok", "sidecar": "unreachable"}
    until(lambda: house.app.get("/health").json() == health, "the app has noticed")
    answer = house.app.post("/workflows", json={"name": "agent"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sidecar_unreachable")
    assert house.workflow("survivor")["engine"]["status"] == "UNREACHABLE"
    assert house.workflow("survivor")["app"]["finished"] is False
    house.launch("sidecar")
    house.wait("sidecar")
    before = len(house.executions("survivor"))
    until(lambda: len(house.executions("survivor")) > before, "it goes on", timeout_s=25)
    until(lambda: house.app.get("/health").json()["sidecar"] == "connected", "it is back")
    assert house.app.post("/workflows/survivor/terminate").status_code == 202
    house.until_status("survivor", "TERMINATED")


def test_every_execution_of_the_app_is_a_decision_of_the_budget(house: Stack) -> None:
    """Each ended execution that succeeded is one call that the ledger knows."""
    start(house, "ledger", steps=3, pause_s=0)
    house.until_status("ledger", "COMPLETED")
    outcomes = [execution["outcome"] for execution in house.executions("ledger")]
    assert outcomes == ["ok"] * 3
    budgets = httpx.get(f"{house.budget_url}/budgets?limit=1000").json()["budgets"]
    [spent] = [each["spent"]["nano_usd"] for each in budgets if each["id"] == "ledger"]
    assert spent == sum(call["nano_usd"] for call in calls(house, "ledger"))
