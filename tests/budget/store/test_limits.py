"""Laws of rules in the store, and of the version that a reservation names."""

from dataclasses import replace

import pytest

from budget.errors import StoreArgumentError
from budget.limits import LimitRule, Match, VelocityRule
from budget.reservations import Allowed, Denied, Reservation, Stale
from budget.scopes import GLOBAL, ScopeKind, ScopeLimit, Window
from budget.store.library import LIMITS
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import reservation

DAILY = LimitRule(ScopeKind.TENANT, Window.DAY, Match.ID, "a|b", NanoUsd(5_000_000_000))
EACH = LimitRule(ScopeKind.INSTANCE, Window("rolling:5m"), Match.EACH, "", NanoUsd(0))
WORKFLOW = VelocityRule(ScopeKind.INSTANCE, Match.WORKFLOW, "agent", NanoUsd(10**9), "10m")


@pytest.fixture
def book(store: Store, link: RedisLink) -> LimitBook:
    """Give the rules of an open store."""
    assert store
    return LimitBook(link)


def at_version(version: int, amount: int = 1) -> Reservation:
    """Build a reservation under rules of a version."""
    return reservation(amount, version=version)


async def test_what_was_put_is_read(book: LimitBook) -> None:
    """Whatever characters its value has; what is put again replaces it."""
    for rule in (DAILY, EACH):
        assert await book.put(rule, "ann")
    assert await book.put_velocity(WORKFLOW, "ann")
    assert set(await book.rules()) == {DAILY, EACH}
    assert await book.velocity_rules() == (WORKFLOW,)
    raised = replace(DAILY, limit_nano_usd=NanoUsd(6))
    assert await book.put(raised, "ann")
    assert set(await book.rules()) == {raised, EACH}
    assert await book.remove(DAILY.kind, DAILY.window, DAILY.match, DAILY.value, "ann")
    removed = (WORKFLOW.kind, WORKFLOW.match, WORKFLOW.value, WORKFLOW.over, "ann")
    assert await book.remove_velocity(*removed)
    assert not await book.remove_velocity(*removed)
    found = await book.read()
    assert (found.limits, found.velocities) == ((EACH,), ())


async def test_an_edit_holds_with_the_next_call(store: Store, book: LimitBook) -> None:
    """A reservation under another version is not decided, and leaves no trace."""
    assert isinstance(await store.reserve(at_version(0)), Allowed)
    await book.put(EACH, "ann")
    call = at_version(0)
    assert await store.reserve_and_dispatch(call) == Stale(1)
    assert await store.simulate(call) == Stale(1)
    assert (await book.read()).version == 1
    assert isinstance(await store.reserve(replace(at_version(1), id=call.id)), Allowed)
    assert await store.reserve(at_version(2)) == Stale(1)


async def test_an_edit_that_changes_nothing_is_none(book: LimitBook, link: RedisLink) -> None:
    """It makes no gateway read the rules again, and is no trip."""
    await book.put(EACH, "ann")
    assert not await book.put(EACH, "bob")
    assert not await book.remove(DAILY.kind, DAILY.window, DAILY.match, DAILY.value, "bob")
    assert (await book.read()).version == 1
    assert len((await Reading(link).trips(0, 10)).trips) == 1


async def test_an_edit_is_a_trip(book: LimitBook, link: RedisLink) -> None:
    """Which says who made it, and what there was before."""
    await book.put(DAILY, "ann")
    await book.put(replace(DAILY, limit_nano_usd=NanoUsd(1)), "bob")
    await book.put_velocity(WORKFLOW, "ann")
    await book.remove(DAILY.kind, DAILY.window, DAILY.match, DAILY.value, "cy")
    trips = (await Reading(link).trips(0, 10)).trips
    assert {trip.kind for trip in trips} == {"limit"}
    assert [(t.scope, t.id, t.actor, t.reason, t.detail) for t in trips] == [
        ("tenant", "a|b", "ann", "limit of tenant (a|b), day: $5.000000000", "was not set"),
        ("tenant", "a|b", "bob", "limit of tenant (a|b), day: $0.000000001", "was $5.000000000"),
        (
            *("instance", "", "ann"),
            "velocity of instance (each in workflow agent), 10m a minute: $1.000000000",
            "was not set",
        ),
        ("tenant", "a|b", "cy", "limit of tenant (a|b), day: removed", "was $0.000000001"),
    ]


async def test_an_edit_never_clears_what_was_spent(store: Store, book: LimitBook) -> None:
    """A limit that is set later meets what was counted before it."""
    call = reservation(60, limit=None)
    await store.reserve(call)
    await store.settle(call.id, NanoUsd(60))
    await book.put(LimitRule(ScopeKind.GLOBAL, Window.DAY, Match.EACH, "", NanoUsd(100)), "ann")
    limits = (ScopeLimit(GLOBAL, NanoUsd(100), Window.DAY),)
    assert isinstance(
        await store.reserve(reservation(41, limit=None, limits=limits, version=1)), Denied
    )


async def test_rules_are_bounded(book: LimitBook, link: RedisLink) -> None:
    """Each gateway holds all of them."""
    fields = [part for n in range(10_000) for part in (f"limit|tenant|day|id|{n}", "1")]
    await link.send("HSET", LIMITS, *fields)
    with pytest.raises(StoreArgumentError, match="10000 rules already"):
        await book.put(EACH, "ann")
    assert await book.put(LimitRule(ScopeKind.TENANT, Window.DAY, Match.ID, "7", NanoUsd(2)), "ann")
