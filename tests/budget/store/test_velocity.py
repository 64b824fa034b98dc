"""Laws of scopes that spend too fast, and of scopes that somebody stopped."""

import pytest

from budget.limits import ScopeVelocity
from budget.reservations import Allowed, Reservation, Rules, Stopped
from budget.scopes import GLOBAL, Scope, ScopeKind
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from budget.store.switches import Order, Switches
from metering.money import NanoUsd
from tests.budget.builders import reservation
from tests.budget.store.clock import set_clock

NOON = "2027-03-10 12:00:00"
SCOPE = Scope(ScopeKind.WORKFLOW, "agent/1")
MINUTE_MS = 60_000


def call(amount: int, *velocities: ScopeVelocity, workflow: str = "agent/1") -> Reservation:
    """Build a call of an activity without limits."""
    return reservation(
        amount,
        limit=None,
        velocities=velocities,
        workflow=workflow,
        task_id="1",
        execution_id="e",
    )


def most(amount: int, scope: Scope = SCOPE) -> ScopeVelocity:
    """Build what may be spent in a minute."""
    return ScopeVelocity(scope, "60s", NanoUsd(amount))


async def spend(store: Store, wanted: Reservation, cost: int) -> None:
    """Make a call at once."""
    assert isinstance(await store.reserve(wanted), Allowed)
    assert await store.settle(wanted.id, NanoUsd(cost))


async def stopped(store: Store, wanted: Reservation) -> Stopped:
    """Make a call that is stopped."""
    found = await store.reserve(wanted)
    assert isinstance(found, Stopped)
    return found


async def trips(link: RedisLink) -> list[tuple[str, str, str]]:
    """Return kind, scope and id of all trips."""
    return [(t.kind, t.scope, t.id) for t in (await Reading(link).trips(0, 100)).trips]


async def test_a_scope_that_spends_too_fast_is_stopped_until_it_is_resumed(
    store: Store, link: RedisLink
) -> None:
    """However long it waits, whatever becomes of the rule; other scopes go on."""
    start = await set_clock(link, NOON)
    for _ in range(2):
        await spend(store, call(90, most(100)), 50)
    await spend(store, call(90, most(100)), 1)
    found = await stopped(store, call(0, most(100)))
    assert (found.scope, found.state, found.trips) == (SCOPE, "velocity", ("velocity",))
    assert found.reason == "$0.000000101 were spent in the last 60s, above $0.000000100"
    await set_clock(link, start + 600 * MINUTE_MS)
    again = await stopped(store, call(0))
    assert (again.since_unix_ms, again.actor, again.trips) == (found.since_unix_ms, "gateway", ())
    await spend(store, call(500, workflow="other"), 500)
    order = Order(SCOPE.kind, SCOPE.id, "mended", "ann")
    assert await Switches(link).resume(order)
    assert not await Switches(link).resume(order)
    await spend(store, call(90, most(100)), 50)
    assert await trips(link) == [
        ("velocity", "workflow", "agent/1"),
        ("resume", "workflow", "agent/1"),
    ]


async def test_a_resumed_scope_has_its_whole_velocity(store: Store, link: RedisLink) -> None:
    """What it spent before does not stop it again at once."""
    await set_clock(link, NOON)
    await spend(store, call(500, most(100)), 500)
    await stopped(store, call(1, most(100)))
    await Switches(link).resume(Order(SCOPE.kind, SCOPE.id, "mended", "ann"))
    await spend(store, call(100, most(100)), 100)
    await spend(store, call(1, most(100)), 1)
    await stopped(store, call(1, most(100)))


async def test_only_what_was_spent_in_its_time_counts(store: Store, link: RedisLink) -> None:
    """Held money does not; a long call counts when it is charged, not when it began."""
    start = await set_clock(link, NOON)
    long = call(900, most(100))
    await store.reserve(long)
    await spend(store, call(60, most(100)), 60)
    await set_clock(link, start + MINUTE_MS)
    await spend(store, call(60, most(100)), 60)
    assert isinstance(await store.simulate(call(1, most(100))), Allowed)
    await set_clock(link, start + 5 * MINUTE_MS)
    assert await store.settle(long.id, NanoUsd(900))
    await set_clock(link, start + 5 * MINUTE_MS + 55_000)
    tripped = await store.simulate(call(1, most(100)))
    assert isinstance(tripped, Stopped)
    await set_clock(link, start + 6 * MINUTE_MS)
    await spend(store, call(60, most(100)), 60)
    ten = ScopeVelocity(SCOPE, "10m", NanoUsd(1000))
    assert (await stopped(store, call(1, ten))).reason.startswith("$0.000001080 were spent")


async def test_an_expiry_that_is_corrected_was_spent_less_fast(
    store: Store, link: RedisLink
) -> None:
    """The correction is in the ten seconds of the expiry."""
    start = await set_clock(link, NOON)
    lost = reservation(900, limit=None, workflow="agent/1", hold_ms=0)
    await store.reserve_and_dispatch(lost)
    await store.expire()
    await set_clock(link, start + 30_000)
    assert isinstance(await store.simulate(call(1, most(100))), Stopped)
    await store.settle(lost.id, NanoUsd(40))
    await spend(store, call(61, most(100)), 61)
    assert (await stopped(store, call(1, most(100)))).reason.startswith("$0.000000101")


async def test_a_correction_of_what_a_resume_forgot_gives_nothing_back(
    store: Store, link: RedisLink
) -> None:
    """It would let the scope spend as much above its velocity."""
    await set_clock(link, NOON)
    lost = reservation(900, limit=None, workflow="agent/1", hold_ms=0)
    await store.reserve_and_dispatch(lost)
    await store.expire()
    await stopped(store, call(1, most(100)))
    await Switches(link).resume(Order(SCOPE.kind, SCOPE.id, "mended", "ann"))
    await spend(store, call(60, most(100)), 60)
    await store.settle(lost.id, NanoUsd(0))
    await spend(store, call(60, most(100)), 41)
    assert (await stopped(store, call(1, most(100)))).reason.startswith("$0.000000101")


async def test_every_scope_that_is_too_fast_is_stopped(store: Store, link: RedisLink) -> None:
    """The call names one of them; each has to be resumed."""
    await set_clock(link, NOON)
    rules = (most(100), most(100, GLOBAL))
    await spend(store, call(500, *rules), 500)
    found = await stopped(store, call(1, *rules))
    assert (found.scope, found.trips) == (GLOBAL, ("velocity", "velocity"))
    await Switches(link).resume(Order(ScopeKind.GLOBAL, "", "mended", "ann"))
    assert (await stopped(store, call(1))).scope == SCOPE


async def test_who_only_observes_stops_nobody_for_velocity(store: Store, link: RedisLink) -> None:
    """A scope that another gateway stopped for it passes; one that was killed does not."""
    await set_clock(link, NOON)
    await spend(store, call(500, most(100)), 500)
    await stopped(store, call(1, most(100)))
    observer = Store(link, rules=Rules(refuses_zombies=False))
    await observer.open()
    await spend(observer, call(1), 1)
    await Switches(link).kill(Order(SCOPE.kind, SCOPE.id, "too dear", "ann"))
    assert (await stopped(observer, call(1))).state == "killed"


@pytest.mark.parametrize("kind", list(ScopeKind))
async def test_a_scope_of_any_kind_is_killed_and_resumed(
    store: Store, link: RedisLink, kind: ScopeKind
) -> None:
    """Its calls are stopped, and no other's; it is listed, whether or not it ever called."""
    wanted = call(5)
    scope = next(scope for scope in wanted.scopes if scope.kind is kind)
    order = Order(kind, scope.id, "too dear", "ann")
    switches = Switches(link)
    assert [await switches.kill(order), await switches.kill(order)] == [True, False]
    found = await stopped(store, wanted)
    assert (found.scope, found.state) == (scope, "killed")
    assert (found.reason, found.actor, found.trips) == ("too dear", "ann", ())
    other = reservation(5, instance="i-2", limit=None, workflow="other", task_id="2")
    if scope not in other.scopes:
        assert isinstance(await store.reserve(other), Allowed)
    assert [await switches.resume(order), await switches.resume(order)] == [True, False]
    assert isinstance(await store.reserve(wanted), Allowed)
    assert await trips(link) == [("kill", kind, scope.id), ("resume", kind, scope.id)]


async def test_a_killed_scope_that_never_called_leaves_nothing_behind(
    store: Store, link: RedisLink
) -> None:
    """Once it is resumed."""
    assert store
    order = Order(ScopeKind.TENANT, "a b", "why", "ann")
    await Switches(link).kill(order)
    assert (await Reading(link).latest(ScopeKind.TENANT, 10))[0][0].id == "a b"
    await Switches(link).resume(order)
    assert await link.send("KEYS", "*tenant*a%20b*") == []
    assert (await Reading(link).latest(ScopeKind.TENANT, 10)) == ([], 0)
