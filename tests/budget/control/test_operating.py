"""Laws of the routes with which an operator stops callers and lets them go on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.budget.conftest import DURABLE, StartGateway
from tests.budget.gateways import CALL_NANO_USD, Provider, RunningGateway, gateway, until
from tests.support.services import redis_server

WHO = {"reason": "too dear", "actor": "ann"}


@pytest.fixture(scope="module")
def replicas(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Give two gateways on one store, one of which only observes."""
    directory = tmp_path_factory.mktemp("replicas")
    url = f"redis://127.0.0.1:{durable_port}/{next(databases)}"
    with (
        gateway(directory, url, provider, BUDGET_CAP_USD="1") as one,
        gateway(directory, url, provider, BUDGET_MODE="observe") as other,
    ):
        yield one, other


@pytest.fixture
def pair(
    replicas: tuple[RunningGateway, RunningGateway],
) -> tuple[RunningGateway, RunningGateway]:
    """Give the two gateways with a fresh instance."""
    return replicas[0].for_another_test(), replicas[1].for_another_test()


def order(gateway: RunningGateway, verb: str, **body: Any) -> httpx.Response:
    """Kill or resume."""
    return gateway.http.post(f"{gateway.url}/{verb}", json=body)


def new_trips(gateway: RunningGateway, after: int) -> list[tuple[str, str, str, str]]:
    """Return what happened after a place in the feed."""
    trips = gateway.get(f"/trips?after={after}")["trips"]
    return [(t["kind"], t["scope"], t["id"], t["actor"]) for t in trips]


def test_a_kill_of_all_calls_is_in_force_on_every_gateway_at_once(
    pair: tuple[RunningGateway, RunningGateway],
) -> None:
    """In mode observe too; whoever resumes it on the other one lets all of them pass."""
    one, other = pair
    after = one.get("/trips?after=9007199254740991")["next"]
    killed = [order(one, "kill", scope="global", **WHO) for _ in range(2)]
    assert [answer.json() for answer in killed] == [
        {"scope": "global", "id": "", "state": "killed"}
    ] * 2
    for each in pair:
        refused = each.chat()
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (402, "budget_killed")
        assert "ann: too dear" in error["message"]
        assert refused.headers["x-should-retry"] == "false"
        assert each.get("/decisions?limit=1000")["decisions"][-1]["scope"] == "global"
    assert one.provider.ledger(one.app)["calls"] == []
    assert [order(other, "resume", scope="global", **WHO).status_code for _ in range(2)] == [
        200
    ] * 2
    assert [each.chat().status_code for each in pair] == [200, 200]
    assert new_trips(one, after) == [("kill", "global", "", "ann"), ("resume", "global", "", "ann")]
    metrics = one.http.get(f"{one.url}/metrics").text
    assert 'budget_trips_total{kind="kill"}' in metrics


@pytest.mark.parametrize("name", ["i/../1", "a b%2F?#", "ü::1", "x" * 256])
def test_a_kill_of_an_instance_concerns_no_other(
    pair: tuple[RunningGateway, RunningGateway], name: str
) -> None:
    """Whatever characters its id has; it may never have called."""
    one, other = pair
    path = f"/instances/{quote(name, safe='')}"
    assert one.http.get(f"{one.url}{path}").json()["error"]["code"] == "unknown_instance"
    order(one, "kill", scope="instance", id=name, **WHO)
    for each in pair:
        assert each.chat(instance=quote(name, safe="")).status_code == 402
        assert each.chat().status_code == 200
    found = other.get(path)
    assert (found["instance"], found["state"]) == (name, "killed")
    assert (found["reason"], found["actor"]) == ("too dear", "ann")
    assert found["since_unix_ms"] > 0
    assert (found["refusals"], found["calls"], found["source"]) == (2, 0, None)
    order(other, "resume", scope="instance", id=name, **WHO)
    assert one.chat(instance=quote(name, safe="")).status_code == 200
    found = one.get(path)
    assert (found["state"], found["since_unix_ms"], found["reason"]) == ("live", None, None)
    assert (found["app"], found["calls"]) == (one.app, 1)
    assert found["spent"]["nano_usd"] == CALL_NANO_USD


def test_an_unknown_instance_is_a_404(pair: tuple[RunningGateway, RunningGateway]) -> None:
    """Nothing was ever counted or decided for it."""
    answer = pair[0].http.get(f"{pair[0].url}/instances/{pair[0].instance}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_instance")


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (
            "/kill",
            {"scope": "all", "reason": "", "extra": 1},
            ["scope", "reason", "actor", "extra"],
        ),
        ("/kill", {"scope": "instance", "reason": "r" * 501, "actor": "a"}, ["id", "reason"]),
        ("/resume", {"scope": "global", "id": "i", "actor": "a"}, ["id", "reason"]),
        ("/instances/i/stop", {"actor": "", "app": 1, "id": "i"}, ["reason", "actor", "app", "id"]),
    ],
)
def test_every_bad_field_is_named_at_once(
    pair: tuple[RunningGateway, RunningGateway], path: str, body: dict[str, Any], named: list[str]
) -> None:
    """Unknown ones as well; nothing is done."""
    answer = pair[0].http.post(f"{pair[0].url}{path}", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_body")
    assert [name for name in named if f"body.{name}: " not in error["message"]] == []


def test_a_body_beyond_the_bound_is_refused(pair: tuple[RunningGateway, RunningGateway]) -> None:
    """Orders are short."""
    answer = pair[0].http.post(f"{pair[0].url}/kill", content=b"x" * (1 << 17))
    assert answer.status_code == 413


def test_a_source_can_not_be_stopped_without_a_scheduler_but_the_kill_is_in_force(
    pair: tuple[RunningGateway, RunningGateway],
) -> None:
    """The error says which setting is missing, and that no call passes."""
    one = pair[0]
    answer = one.http.post(f"{one.url}/instances/{one.instance}/stop", json=WHO)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "scheduler_not_configured")
    assert "BUDGET_SCHEDULER_ADDRESS" in error["message"]
    assert "kill is in force" in error["message"]
    assert one.chat().status_code == 402
    assert one.get(f"/instances/{one.instance}")["state"] == "killed"


async def test_a_call_under_way_at_a_kill_is_settled(
    pair: tuple[RunningGateway, RunningGateway],
) -> None:
    """A kill concerns the next call; what was sent is paid."""
    one = pair[0]
    async with httpx.AsyncClient(timeout=20) as client:
        slow = asyncio.create_task(client.post(**one.request(user="wait:0.3")))
        await until(one.reserved, "the call is under way")
        order(one, "kill", scope="instance", id=one.instance, **WHO)
        assert (await slow).status_code == 200
    assert one.spent() == CALL_NANO_USD
    assert one.chat().status_code == 402


def test_an_order_that_the_store_did_not_hear_is_no_order(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Who can't be sure that calls are stopped is told so."""
    with redis_server(tmp_path, *DURABLE) as (server, port):
        lonely = start_gateway(f"redis://127.0.0.1:{port}/0", BUDGET_CAP_USD="1")
        server.kill()
        for path in ("kill", "resume"):
            answer = order(lonely, path, scope="global", **WHO)
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "budget_store_unavailable"


def test_the_routes_are_documented(pair: tuple[RunningGateway, RunningGateway]) -> None:
    """OpenAPI has each of them."""
    paths = set(pair[0].get("/openapi.json")["paths"])
    documented = {"/kill", "/resume", "/trips", "/instances/{instance_id}"}
    assert documented | {"/instances/{instance_id}/stop"} <= paths
