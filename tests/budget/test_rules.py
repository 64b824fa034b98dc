"""Laws of rules that are edited while gateways run, on their own HTTP answers."""

import asyncio
from collections import Counter

import httpx
import pytest

from budget.limits import LimitRule, Match, VelocityRule
from budget.scopes import ScopeKind, Window
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.switches import Order, Switches
from metering.money import NanoUsd
from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, usd

CLIENTS = 40


def limit(calls: int, window: Window = Window.DAY) -> LimitRule:
    """Build a rule for each workflow: so many small calls."""
    amount = NanoUsd(calls * CALL_NANO_USD)
    return LimitRule(ScopeKind.WORKFLOW, window, Match.EACH, "", amount)


def code(gateway: RunningGateway) -> str:
    """Make one call; return its error code, empty when it was served."""
    answer = gateway.chat()
    return "" if answer.status_code == httpx.codes.OK else answer.json()["error"]["code"]


async def test_an_edit_holds_on_every_gateway_with_the_next_call(
    start_gateway: StartGateway, link: RedisLink
) -> None:
    """Raised, lowered, removed; and what was spent stays spent."""
    pair, book = [start_gateway() for _ in range(2)], LimitBook(link)
    assert [code(gateway) for gateway in pair] == ["", ""]
    await book.put(limit(2), "ann")
    assert [code(gateway) for gateway in pair] == ["budget_exceeded"] * 2
    await book.put(limit(4), "ann")
    assert [code(gateway) for gateway in pair] == ["", ""]
    assert code(pair[0]) == "budget_exceeded"
    await book.remove(ScopeKind.WORKFLOW, Window.DAY, Match.EACH, "", "ann")
    assert [code(gateway) for gateway in pair] == ["", ""]


async def test_a_crowd_that_meets_an_edit_is_decided_under_it(
    start_gateway: StartGateway, link: RedisLink
) -> None:
    """Not one call more than the rule lets through, and none is lost for it."""
    gateway = start_gateway()
    await LimitBook(link).put(limit(7), "ann")
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(timeout=30, limits=limits) as client:
        answers = await asyncio.gather(*(client.post(**gateway.request()) for _ in range(CLIENTS)))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.pop(200) == 7
    assert set(statuses) <= {402, 429}


async def test_a_refusal_says_which_window_and_when_it_begins_anew(
    start_gateway: StartGateway, link: RedisLink
) -> None:
    """A rolling one as well: when enough has left."""
    gateway = start_gateway()
    await LimitBook(link).put(limit(1, Window("rolling:1m")), "ann")
    assert code(gateway) == ""
    budget = gateway.chat().json()["error"]["budget"]
    assert (budget["scope"], budget["id"], budget["window"]) == (
        *("workflow", "unknown"),
        "rolling:1m",
    )
    assert budget["limit_usd"] == budget["spent_usd"] == usd(CALL_NANO_USD)
    assert budget["resets_at"] % 10_000 == 0
    seconds, _ = await link.send("TIME")
    assert int(seconds) < budget["resets_at"] / 1000 <= int(seconds) + 70


async def test_what_spends_too_fast_is_refused_until_it_is_resumed(
    start_gateway: StartGateway, link: RedisLink
) -> None:
    """With the scope that is too fast; it is counted as a trip."""
    gateway = start_gateway()
    rule = VelocityRule(ScopeKind.INSTANCE, Match.EACH, "", NanoUsd(CALL_NANO_USD), "60s")
    await LimitBook(link).put_velocity(rule, "ann")
    assert [code(gateway) for _ in range(4)] == [*["", ""], *["budget_velocity_tripped"] * 2]
    assert [code(gateway.for_another_test())] == [""]
    refused = gateway.chat()
    assert (refused.status_code, refused.headers["x-should-retry"]) == (402, "false")
    assert f"instance '{gateway.instance}'" in refused.json()["error"]["message"]
    assert gateway.get("/decisions?limit=1000")["decisions"][-1]["scope"] == "instance"
    metrics = gateway.http.get(f"{gateway.url}/metrics").text
    assert 'budget_trips_total{kind="velocity"} 1.0' in metrics
    await Switches(link).resume(Order(ScopeKind.INSTANCE, gateway.instance, "mended", "ann"))
    assert code(gateway) == ""


@pytest.mark.parametrize("kind", [ScopeKind.MODEL, ScopeKind.WORKFLOW])
async def test_a_kill_of_any_scope_names_it(
    start_gateway: StartGateway, link: RedisLink, kind: ScopeKind
) -> None:
    """A model's, say, in the answer to its next call."""
    gateway = start_gateway()
    scope_id = {"model": "gpt-4", "workflow": "unknown"}[kind]
    await Switches(link).kill(Order(kind, scope_id, "too dear", "ann"))
    error = gateway.chat().json()["error"]
    assert error["code"] == "budget_killed"
    assert f"{kind} '{scope_id}' are stopped by ann: too dear" in error["message"]


async def test_while_observing_rules_hold_nobody_up(
    start_gateway: StartGateway, link: RedisLink
) -> None:
    """But what is spent is counted for the day that they do."""
    observer = start_gateway(BUDGET_MODE="observe")
    await LimitBook(link).put(limit(1), "ann")
    assert [code(observer) for _ in range(3)] == ["", "", ""]
    assert code(start_gateway()) == "budget_exceeded"
