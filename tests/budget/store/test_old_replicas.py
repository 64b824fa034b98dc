"""Laws of replicas of two versions on one store."""

import pytest

from budget.reservations import Allowed, Denied, Reservation
from budget.scopes import GLOBAL, Scope, ScopeKind, ScopeLimit, Window
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from budget.store.switches import Order, Switches
from budget.store.totals import read_totals
from metering.money import NanoUsd
from tests.budget.builders import HOUR_MS, reservation
from tests.budget.store.old_replica import OldReplica

FIVE = Window("rolling:5m")


@pytest.fixture
async def old(store: Store, link: RedisLink) -> OldReplica:
    """Give a replica of version 2 beside an open store of version 3."""
    assert store
    replica = OldReplica(link)
    await replica.load()
    return replica


async def lifetime(link: RedisLink, call: Reservation) -> list[tuple[int, int]]:
    """Return what each scope of a call has spent and holds."""
    found = await read_totals(link, call.scopes, [Window.LIFETIME])
    return [(each.totals.spent, each.totals.reserved) for each in found]


def call(amount: int = 40, *, hold_ms: int = HOUR_MS) -> Reservation:
    """Build a call under a lifetime limit of 100."""
    return reservation(amount, limit=100, hold_ms=hold_ms)


async def test_one_limit_holds_over_both(store: Store, link: RedisLink, old: OldReplica) -> None:
    """Neither lets through what does not fit with the other's calls."""
    ours, theirs = call(), call()
    assert isinstance(await store.reserve(ours), Allowed)
    assert (await old.reserve(theirs))[0] == "ALLOW"
    assert isinstance(await store.reserve(call()), Denied)
    assert (await old.reserve(call()))[0] == "DENY"
    assert (await lifetime(link, theirs))[0] == (0, 80)
    await store.settle(ours.id, NanoUsd(40))
    await old.settle(theirs, 40)
    assert (await lifetime(link, theirs))[0] == (80, 0)


@pytest.mark.parametrize("is_old_first", [True, False])
@pytest.mark.parametrize("end", ["settle", "release", "expire", "expire, settle"])
async def test_either_ends_the_other_s_calls(
    store: Store, link: RedisLink, old: OldReplica, end: str, *, is_old_first: bool
) -> None:
    """In every scope that holds the money; the ledger has no gap and sums to the counters."""
    wanted = call(hold_ms=0)
    one, other = (old, store) if is_old_first else (store, old)
    await one.reserve(wanted)
    await (old.dispatch(wanted) if is_old_first else store.dispatch(wanted.id))
    if "expire" in end:
        await other.expire()
    if "settle" in end:
        await (store.settle(wanted.id, NanoUsd(30)) if is_old_first else old.settle(wanted, 30))
    if end == "release":
        await (store.release(wanted.id) if is_old_first else old.release(wanted))
    spent = {"settle": 30, "release": 0, "expire": 40, "expire, settle": 30}[end]
    counted = [GLOBAL, Scope(ScopeKind.INSTANCE, "i-1")] if is_old_first else wanted.scopes
    for scope, found in zip(wanted.scopes, await lifetime(link, wanted), strict=True):
        assert found == ((spent, 0) if scope in counted else (0, 0))
    entries = (await Reading(link).ledger(0, 100)).entries
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert sum(entry.spent_delta for entry in entries) == spent
    assert sum(entry.reserved_delta for entry in entries) == 0


async def test_a_correction_of_an_old_replica_s_expiry_is_no_negative_spend(
    store: Store, link: RedisLink, old: OldReplica
) -> None:
    """Rolling windows never heard of the expiry: to them the whole cost is new."""
    limits = (ScopeLimit(GLOBAL, NanoUsd(100), FIVE),)
    ours = reservation(40, limit=None, limits=limits, hold_ms=0)
    await store.reserve_and_dispatch(ours)
    await old.expire()
    await store.settle(ours.id, NanoUsd(30))
    found = await read_totals(link, [GLOBAL], [FIVE, Window.MONTH])
    assert {(each.totals.spent, each.totals.reserved) for each in found} == {(30, 0)}


@pytest.mark.parametrize("kind", [ScopeKind.GLOBAL, ScopeKind.INSTANCE])
async def test_a_kill_of_all_calls_or_of_an_instance_stops_an_old_replica(
    link: RedisLink, old: OldReplica, kind: ScopeKind
) -> None:
    """And a resume lets it go on."""
    order = Order(kind, "" if kind is ScopeKind.GLOBAL else "i-1", "why", "ann")
    await Switches(link).kill(order)
    assert (await old.reserve(call()))[0] in {"KILLED", "STOPPED"}
    await Switches(link).resume(order)
    assert (await old.reserve(call()))[0] == "ALLOW"


async def test_windows_begin_at_nothing_where_an_old_replica_counted_before(
    store: Store, link: RedisLink, old: OldReplica
) -> None:
    """What was spent under version 2 is in the lifetime alone."""
    theirs = call()
    await old.reserve(theirs)
    await old.settle(theirs, 40)
    ours = call(50)
    await store.reserve(ours)
    await store.settle(ours.id, NanoUsd(50))
    windows = [Window.LIFETIME, Window.MONTH, FIVE]
    found = await read_totals(link, [GLOBAL], windows)
    assert [each.totals.spent for each in found] == [90, 50, 50]
