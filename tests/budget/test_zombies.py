"""Laws of instances that run away: found by their executions, and refused."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.budget.conftest import StartGateway
from tests.budget.executions import execute, view
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, usd, wait_until


@pytest.fixture
def counting(start_gateway: StartGateway) -> RunningGateway:
    """Give a gateway that refuses at the third execution, and stops no source."""
    return start_gateway(BUDGET_CAP_USD="1", BUDGET_ZOMBIE_EXECUTIONS="3", BUDGET_REPLAY="false")


def statuses(gateway: RunningGateway, times: int, **fields: Any) -> list[int]:
    """Execute an activity of the test's instance some times."""
    answers = [execute(gateway, gateway.instance, **fields) for _ in range(times)]
    return [answer.status_code for answer in answers]


def test_the_calls_of_one_execution_are_one_execution(counting: RunningGateway) -> None:
    """An activity may call often; other tasks count for themselves."""
    assert [statuses(counting, 2, ordinal=n, task=n % 2) for n in range(4)] == [[200, 200]] * 4
    found = view(counting, counting.instance)
    assert (found["activities"], found["executions"], found["most_executions"]) == (2, 4, 2)
    assert (found["state"], found["calls"]) == ("live", 8)
    assert statuses(counting, 1, ordinal=3, task=1) == [402]
    assert view(counting, counting.instance)["source"] is None


def test_what_may_come_again_is_no_execution(start_gateway: StartGateway) -> None:
    """An error that cost nothing, a 429: the same execution may try again."""
    gateway = start_gateway(
        BUDGET_INSTANCE_CAP_USD=usd(2 * CALL_NANO_USD),
        BUDGET_ZOMBIE_EXECUTIONS="2",
        BUDGET_REPLAY="false",
    )
    assert statuses(gateway, 3, user="fail:500") == [500] * 3
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(execute, gateway, gateway.instance, task=2, user="wait:1")
        wait_until(gateway.reserved, "a call holds money")
        assert statuses(gateway, 3, max_tokens=17) == [429] * 3
        assert slow.result().status_code == 200
    assert view(gateway, gateway.instance)["most_executions"] == 1


def test_refusals_for_good_are_executions(start_gateway: StartGateway) -> None:
    """A runaway into a spent budget, or with a body that changes, is one all the same."""
    gateway = start_gateway(
        BUDGET_INSTANCE_CAP_USD=usd(CALL_NANO_USD), BUDGET_ZOMBIE_EXECUTIONS="3"
    )
    codes = [
        execute(gateway, gateway.instance, max_tokens=n + 1).json().get("error", {}).get("code")
        for n in range(3)
    ]
    assert codes == [None, "idempotency_mismatch", "workflow_not_live"]
    stranger = gateway.for_another_test()
    assert statuses(stranger, 2, max_tokens=50) == [402, 402]
    path = f"{stranger.url}/instances/{stranger.instance}"
    assert stranger.http.get(path).status_code == 404
    refused = execute(stranger, stranger.instance, max_tokens=50)
    assert refused.json()["error"]["code"] == "workflow_not_live"
    found = view(stranger, stranger.instance)
    assert (found["state"], found["executions"], found["app"]) == ("zombie", 3, stranger.app)


def test_a_resumed_zombie_begins_anew(counting: RunningGateway) -> None:
    """Its mark and its counts are gone, so the next call does not mark it again."""
    assert statuses(counting, 4) == [200, 200, 402, 402]
    body = {"scope": "instance", "id": counting.instance, "reason": "mended", "actor": "ann"}
    counting.http.post(f"{counting.url}/resume", json=body).raise_for_status()
    assert view(counting, counting.instance)["executions"] == 0
    assert statuses(counting, 3) == [200, 200, 402]
    kinds = [trip["kind"] for trip in counting.get("/trips")["trips"]]
    assert kinds == ["zombie", "resume", "zombie"]
    metrics = counting.http.get(f"{counting.url}/metrics").text
    assert 'budget_trips_total{kind="zombie"} 2.0' in metrics


def test_observing_finds_no_zombies(start_gateway: StartGateway, counting: RunningGateway) -> None:
    """It counts, marks none, and lets those pass that others marked."""
    observer = start_gateway(BUDGET_MODE="observe", BUDGET_ZOMBIE_EXECUTIONS="2")
    assert statuses(observer, 3) == [200] * 3
    assert view(observer, observer.instance)["most_executions"] == 3
    assert statuses(counting, 3) == [200, 200, 402]
    assert execute(observer, counting.instance).status_code == 200
