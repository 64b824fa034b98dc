"""Laws of the limits that operators set, and of what `/budgets` shows of them."""

from typing import Any

import httpx
import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, usd


def put(gateway: RunningGateway, path: str = "/limits", **rule: Any) -> httpx.Response:
    """Set a rule."""
    return gateway.http.put(f"{gateway.url}{path}", json={"actor": "ann", **rule})


def test_a_limit_holds_with_the_next_call_on_every_gateway(start_gateway: StartGateway) -> None:
    """Until it is raised or removed; what was spent stays counted, and each edit is a trip."""
    one, other = start_gateway(), start_gateway()
    assert other.chat().status_code == 200
    rule = {"scope": "tenant", "value": "unknown", "window": "day"}
    assert put(one, **rule, nano_usd=CALL_NANO_USD).json() == {"changed": True}
    refused = other.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
    assert put(one, **rule, usd=usd(2 * CALL_NANO_USD)).json() == {"changed": True}
    assert put(one, **rule, usd=usd(2 * CALL_NANO_USD)).json() == {"changed": False}
    assert other.chat().status_code == 200
    assert one.chat().status_code == 402
    (limit,) = other.get("/limits")["limits"]
    assert limit == {
        **rule,
        "match": "id",
        "limit": {"usd": usd(2 * CALL_NANO_USD), "nano_usd": 2 * CALL_NANO_USD},
    }
    removed = one.http.delete(f"{one.url}/limits", params={**rule, "actor": "bob"})
    assert removed.json() == {"changed": True}
    assert other.get("/limits")["limits"] == []
    assert other.chat().status_code == 200
    trips = one.get("/trips?kind=limit")["trips"]
    assert [(trip["scope"], trip["id"], trip["actor"]) for trip in trips] == [
        ("tenant", "unknown", "ann"),
        ("tenant", "unknown", "ann"),
        ("tenant", "unknown", "bob"),
    ]


def test_budgets_show_each_window_with_its_own_limit(start_gateway: StartGateway) -> None:
    """Spent, held and what remains, when it begins anew, and the limit that is most specific."""
    gateway = start_gateway(BUDGET_CAP_USD="1")
    gateway.chat()
    put(gateway, scope="tenant", match="each", window="hour", usd="5")
    put(gateway, scope="tenant", value="unknown", window="hour", usd="2")
    put(gateway, scope="global", window="month", usd="9")
    total, month, lifetime, hour = gateway.get("/budgets?scope=tenant")["budgets"]
    assert (total["scope"], total["window"], total["limit"]["nano_usd"]) == (
        *("global", "lifetime", 10**9),
    )
    assert total["remaining"]["nano_usd"] == 10**9 - CALL_NANO_USD
    assert (month["scope"], month["window"]) == ("global", "month")
    assert (lifetime["id"], lifetime["window"], lifetime["limit"]) == (
        *("unknown", "lifetime", None),
    )
    assert (hour["window"], hour["limit"]["usd"]) == ("hour", "2.000000000")
    assert hour["remaining"]["nano_usd"] == 2 * 10**9 - CALL_NANO_USD
    assert hour["resets_at_unix_ms"] % 3_600_000 == 0
    assert (hour["calls"], lifetime["calls"]) == (None, 1)
    _, rolling = gateway.get("/budgets?scope=model&window=rolling:5m")["budgets"]
    assert (rolling["id"], rolling["spent"]["nano_usd"]) == ("gpt-4", CALL_NANO_USD)
    assert rolling["resets_at_unix_ms"] is None
    answer = gateway.http.get(f"{gateway.url}/budgets?window=rolling:61m&scope=nobody")
    message = answer.json()["error"]["message"]
    assert "query.window: " in message
    assert "query.scope: " in message


def test_budgets_are_paged(rich_gateway: RunningGateway) -> None:
    """Page after page, each scope is there once; the last one says so."""
    gateway = rich_gateway.for_another_test()
    for number in range(3):
        gateway.chat(instance=f"{gateway.instance}-{number}")
    found = list[str]()
    after: int | None = 0
    while after is not None:
        page = gateway.get(f"/budgets?limit=2&after={after}")
        found += [row["id"] for row in page["budgets"] if row["scope"] == "instance"]
        after = page["next"]
    assert len(found) == len(set(found)) == page["known"]
    assert found[:3] == [f"{gateway.instance}-{number}" for number in (2, 1, 0)]


def test_a_velocity_is_set_shown_and_removed(rich_gateway: RunningGateway) -> None:
    """An amount a minute, over one of two times."""
    gateway = rich_gateway.for_another_test()
    rule = {"scope": "instance", "match": "workflow", "value": gateway.instance, "over": "10m"}
    assert put(gateway, "/velocity", **rule, usd="0.5").json() == {"changed": True}
    (found,) = gateway.get("/velocity")["velocities"]
    assert found == {**rule, "per_minute": {"usd": "0.500000000", "nano_usd": 500_000_000}}
    params = {**rule, "actor": "ann"}
    removals = [gateway.http.delete(f"{gateway.url}/velocity", params=params) for _ in range(2)]
    assert [each.json()["changed"] for each in removals] == [True, False]


@pytest.mark.parametrize("path", ["/limits", "/velocity"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (
            {"scope": "all", "match": "none", "window": "year", "over": "5s", "usd": 2, "x": 1},
            ["scope", "match", "usd", "actor"],
        ),
        ({"scope": "tenant", "usd": "1", "nano_usd": 1, "actor": "a"}, ["value", "nano_usd"]),
        ({"scope": "tenant", "value": "t", "actor": ""}, ["nano_usd", "actor"]),
        ({"scope": "global", "value": "t", "usd": "9000001", "actor": "a"}, ["value", "usd"]),
        ({"scope": "model", "match": "each", "value": "m", "nano_usd": -1}, ["value", "nano_usd"]),
        ({"scope": "global", "usd": "1e3", "nano_usd": 1.5, "actor": "a"}, ["usd", "nano_usd"]),
    ],
)
def test_every_bad_field_of_a_rule_is_named_at_once(
    rich_gateway: RunningGateway, path: str, body: dict[str, Any], named: list[str]
) -> None:
    """Amounts are exact text or integers, given once; nothing is set."""
    before = rich_gateway.get(path)
    answer = rich_gateway.http.put(f"{rich_gateway.url}{path}", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_body")
    assert [name for name in named if f"body.{name}: " not in error["message"]] == []
    assert rich_gateway.get(path) == before


@pytest.mark.parametrize("kind", ["tenant", "workflow", "root", "activity", "model"])
def test_scopes_of_every_kind_are_killed_and_resumed(
    start_gateway: StartGateway, kind: str
) -> None:
    """Calls of that scope alone are refused; `/budgets` shows its state."""
    gateway = start_gateway()
    gateway.chat()
    *_, row = gateway.get(f"/budgets?scope={kind}")["budgets"]
    order = {"scope": kind, "id": row["id"], "reason": "r", "actor": "ann"}
    killed = gateway.http.post(f"{gateway.url}/kill", json=order)
    assert killed.json() == {"scope": kind, "id": row["id"], "state": "killed"}
    assert gateway.chat().json()["error"]["code"] == "budget_killed"
    assert gateway.get(f"/budgets?scope={kind}")["budgets"][-1]["state"] == "killed"
    gateway.http.post(f"{gateway.url}/resume", json=order)
    assert gateway.chat().status_code == 200
