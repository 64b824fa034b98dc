"""Laws of limits in many scopes at once under a crowd: each holds, to the nano-dollar."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from budget.limits import LimitRule, Match
from budget.scopes import Scope, ScopeKind, Window
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.totals import read_totals
from metering.money import NanoUsd
from tests.budget.proof.conftest import StartFleet
from tests.budget.proof.fleet import (
    ADMIN_KEY,
    CALL_NANO_USD,
    MODEL,
    Answer,
    Fleet,
    assert_books_agree,
)

FAMILIES, MEMBERS, CALLS_EACH = 10, 5, 4
"""A family is a parent and its four children; together they make 200 calls, or $20."""

LIFETIME = Window.LIFETIME


@dataclass(frozen=True, slots=True)
class Member:
    """One workflow instance of a family; the first member is the parent."""

    family: int
    place: int

    @property
    def headers(self) -> dict[str, str]:
        """Who it says it is."""
        return {
            "X-Workflow-Name": "child" if self.place else f"parent-{self.family % 2}",
            "X-Workflow-Root": self.root,
            "X-Workflow-Instance": self.instance,
        }

    @property
    def instance(self) -> str:
        """Its id."""
        return f"{self.root}.{self.place}" if self.place else self.root

    @property
    def root(self) -> str:
        """The outermost parent."""
        return f"family-{self.family}"


MEMBERS_OF_ALL = [Member(family, place) for family in range(FAMILIES) for place in range(MEMBERS)]


def each(kind: ScopeKind, dimes: int, window: Window = LIFETIME) -> LimitRule:
    """Limit each scope of a kind to so many calls."""
    return LimitRule(kind, window, Match.EACH, "", NanoUsd(dimes * CALL_NANO_USD))


def one(kind: ScopeKind, name: str, dimes: int) -> LimitRule:
    """Limit one scope to so many calls."""
    return LimitRule(kind, LIFETIME, Match.ID, name, NanoUsd(dimes * CALL_NANO_USD))


async def put(link: RedisLink, *rules: LimitRule) -> None:
    """Set limits, as an operator does."""
    for rule in rules:
        await LimitBook(link).put(rule, "operator")


async def crowd(fleet: Fleet) -> list[tuple[Member, Answer]]:
    """Let all members make all of their calls at once; return how each ended."""
    callers = MEMBERS_OF_ALL * CALLS_EACH
    stories = await asyncio.gather(*(fleet.persist(n, c.headers) for n, c in enumerate(callers)))
    return [(caller, story[-1]) for caller, story in zip(callers, stories, strict=True)]


async def spent(link: RedisLink, kind: ScopeKind, names: Iterable[str]) -> dict[str, int]:
    """Return what the store says that scopes have spent; nothing may be held."""
    scopes = [Scope(kind, name) for name in names]
    totals = await read_totals(link, scopes, [LIFETIME])
    assert {found.totals.reserved for found in totals} <= {0}
    return {found.scope.id: found.totals.spent for found in totals}


async def charged(fleet: Fleet, kind: ScopeKind) -> dict[str, int]:
    """Return what the provider says that the callers of a kind were charged."""
    groups = (await fleet.get(f"{fleet.provider}/spend?by={kind}&limit=1000"))["groups"]
    return {group["key"]: group["nano_usd"] for group in groups}


@pytest.mark.parametrize("window", ["lifetime", "month", "rolling:60m"])
async def test_a_parent_and_its_children_share_the_budget_of_their_root(
    start_fleet: StartFleet, link: RedisLink, window: str
) -> None:
    """20 calls want the $1 of each root: 10 get it, whoever of the family makes them."""
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.05")
    await put(link, each(ScopeKind.ROOT, 10, Window(window)))
    answers = await crowd(fleet)
    for family in range(FAMILIES):
        kinds = Counter(answer.kind for who, answer in answers if who.family == family)
        assert kinds == {"200": 10, "402 budget_exceeded": 10}
    dollar_each = {f"family-{family}": 10**9 for family in range(FAMILIES)}
    assert await charged(fleet, ScopeKind.ROOT) == dollar_each
    assert await spent(link, ScopeKind.ROOT, dollar_each) == dollar_each
    assert await assert_books_agree(fleet) == FAMILIES * 10**9


async def test_limits_of_all_kinds_hold_at_once(start_fleet: StartFleet, link: RedisLink) -> None:
    """None is passed, each agrees with the provider's books, and no call is refused in vain.

    Without the limit of the model at least 88 calls would fit, so it is used up.
    """
    rules = {
        ScopeKind.GLOBAL: {"": 100},
        ScopeKind.WORKFLOW: {"child": 80, "parent-0": 12, "parent-1": 1000},
        ScopeKind.ROOT: dict.fromkeys((f"family-{n}" for n in range(FAMILIES)), 13)
        | {"family-3": 0, "family-4": 2},
        ScopeKind.INSTANCE: dict.fromkeys((member.instance for member in MEMBERS_OF_ALL), 3),
        ScopeKind.MODEL: {MODEL: 85},
    }
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.05")
    await put(link, each(ScopeKind.ROOT, 13), each(ScopeKind.INSTANCE, 3))
    for kind in (ScopeKind.GLOBAL, ScopeKind.WORKFLOW, ScopeKind.MODEL):
        await put(link, *(one(kind, name, dimes) for name, dimes in rules[kind].items()))
    await put(link, one(ScopeKind.ROOT, "family-3", 0), one(ScopeKind.ROOT, "family-4", 2))
    answers = await crowd(fleet)
    total = await assert_books_agree(fleet)
    left: dict[tuple[ScopeKind, str], int] = {}
    for kind, limits in rules.items():
        found = await spent(link, kind, limits)
        seen = {"": total} if kind is ScopeKind.GLOBAL else await charged(fleet, kind)
        assert {name: nano for name, nano in found.items() if nano} == seen
        left |= {(kind, name): limits[name] * CALL_NANO_USD - nano for name, nano in found.items()}
    assert min(left.values()) >= 0
    assert total == 85 * CALL_NANO_USD
    for _, answer in answers:
        if answer.status != 200:
            assert answer.status == 402
            barrier = answer.error["budget"]
            assert left[ScopeKind(barrier["scope"]), barrier["id"]] < CALL_NANO_USD


async def test_a_tenant_spends_its_own_limit_whatever_the_headers_say(
    start_fleet: StartFleet, link: RedisLink
) -> None:
    """Three keys, 60 calls each at once: each tenant gets its limit."""
    dimes = {"acme": 5, "globex": 17, "initech": 30}
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.05", BUDGET_ADMIN_KEY=ADMIN_KEY)
    await put(link, *(one(ScopeKind.TENANT, name, limit) for name, limit in dimes.items()))
    keys = {
        name: await fleet.send("POST", 0, "/keys", {"tenant": name, "name": name}) for name in dimes
    }

    async def call(number: int, tenant: str) -> tuple[str, str]:
        # The root tells the provider's books whose call it is; the gateway goes by the key.
        headers = {"Authorization": f"Bearer {keys[tenant]['key']}", "X-Workflow-Root": tenant}
        return tenant, (await fleet.persist(number, headers))[-1].kind

    ends = Counter(await asyncio.gather(*(call(n, name) for n in range(60) for name in dimes)))
    assert ends == {(name, "200"): limit for name, limit in dimes.items()} | {
        (name, "402 budget_exceeded"): 60 - limit for name, limit in dimes.items()
    }
    expected = {name: limit * CALL_NANO_USD for name, limit in dimes.items()}
    assert await spent(link, ScopeKind.TENANT, dimes) == expected
    assert await charged(fleet, ScopeKind.ROOT) == expected
    await assert_books_agree(fleet)
