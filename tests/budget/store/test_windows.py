"""Laws of limits over a time, on a store whose clock the tests move."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.errors import StoreUnavailableError
from budget.reservations import (
    Allowed,
    Denied,
    Obstacle,
    Reservation,
    ScopeTotals,
    Stopped,
)
from budget.scopes import GLOBAL, MAX_LIMIT_NANO_USD, Scope, ScopeKind, ScopeLimit, Window
from budget.store.library import META, TEST_CLOCK
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from budget.store.switches import Order, Switches
from budget.store.totals import read_totals
from metering.money import NanoUsd
from tests.budget.builders import HOUR_MS, reservation
from tests.budget.store.clock import set_clock, unix_ms

CALENDAR = [Window.HOUR, Window.DAY, Window.WEEK, Window.MONTH]
FIVE = Window("rolling:5m")
NOON = "2027-03-10 12:00:00"
"""A Wednesday."""


def within(
    window: Window, amount: int, most: int = 100, *, hold_ms: int = 24 * HOUR_MS
) -> Reservation:
    """Build a call under one limit for all calls."""
    limits = (ScopeLimit(GLOBAL, NanoUsd(most), window),)
    return reservation(amount, limit=None, limits=limits, hold_ms=hold_ms)


async def spend(store: Store, call: Reservation, cost: int | None = None) -> None:
    """Make a call at once."""
    assert isinstance(await store.reserve(call), Allowed)
    assert await store.settle(call.id, call.amount_nano_usd if cost is None else NanoUsd(cost))


async def denied(store: Store, call: Reservation) -> Denied:
    """Make a call that is refused."""
    found = await store.reserve(call)
    assert isinstance(found, Denied)
    return found


async def totals(link: RedisLink, *windows: Window) -> list[tuple[int, int]]:
    """Return what all calls have spent and hold in some windows."""
    found = await read_totals(link, [GLOBAL], windows)
    return [(each.totals.spent, each.totals.reserved) for each in found]


@pytest.mark.parametrize(
    ("window", "last", "first"),
    [
        (Window.HOUR, "2027-03-10 12:59:59.900", "2027-03-10 13:00:00"),
        (Window.DAY, "2027-03-10 23:59:59.900", "2027-03-11 00:00:00"),
        (Window.WEEK, "2027-03-14 23:59:59.900", "2027-03-15 00:00:00"),
        (Window.MONTH, "2027-12-31 23:59:59.900", "2028-01-01 00:00:00"),
        (Window.MONTH, "2028-02-29 23:59:59.900", "2028-03-01 00:00:00"),
    ],
)
async def test_a_window_begins_anew_and_says_when(
    store: Store, link: RedisLink, window: Window, last: str, first: str
) -> None:
    """Spent money is for good until the next bucket; ISO weeks begin on Monday; UTC."""
    await set_clock(link, last)
    await spend(store, within(window, 80))
    found = await denied(store, within(window, 30))
    assert found.obstacle is Obstacle.SPENT
    assert found.barriers[0].resets_at_unix_ms == unix_ms(first)
    assert found.barriers[0].limit.window == window
    await set_clock(link, first)
    await spend(store, within(window, 30))
    assert await totals(link, window, Window.LIFETIME) == [(30, 0), (110, 0)]


@given(days=st.integers(0, 80_000), ms=st.integers(0, 86_399_000))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_buckets_are_those_of_the_calendar(
    store: Store, link: RedisLink, days: int, ms: int
) -> None:
    """From 1970 to 2189, in Redis as in Python."""
    assert store
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days, milliseconds=ms)
    await set_clock(link, round(at.timestamp() * 1000))
    hour = at.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    ends = [
        hour + timedelta(hours=1),
        day + timedelta(days=1),
        day + timedelta(days=8 - day.isoweekday()),
        month,
    ]
    found = await read_totals(link, [GLOBAL], CALENDAR)
    assert [each.resets_at_unix_ms for each in found] == [int(e.timestamp() * 1000) for e in ends]


async def test_a_call_belongs_to_the_bucket_in_which_it_was_reserved(
    store: Store, link: RedisLink
) -> None:
    """What it holds and what it cost count there, though it ends in the next one."""
    await set_clock(link, "2027-03-10 12:59:50")
    early = within(Window.HOUR, 60)
    await store.reserve(early)
    await set_clock(link, "2027-03-10 13:00:05")
    assert await totals(link, Window.HOUR, Window.DAY) == [(0, 0), (0, 60)]
    late = within(Window.HOUR, 100)
    assert isinstance(await store.reserve(late), Allowed)
    assert await totals(link, Window.HOUR, Window.DAY) == [(0, 100), (0, 160)]
    await store.settle(early.id, NanoUsd(50))
    assert await totals(link, Window.HOUR, Window.DAY) == [(0, 100), (50, 100)]
    await store.settle(late.id, NanoUsd(70))
    assert await totals(link, Window.HOUR, Window.DAY, Window.LIFETIME) == [
        (70, 0),
        (120, 0),
        (120, 0),
    ]


async def test_an_hour_without_calls_is_empty(store: Store, link: RedisLink) -> None:
    """Also one that ends calls of hours ago, and corrects what expired in them."""
    await set_clock(link, NOON)
    held, lost = within(Window.HOUR, 10), within(Window.HOUR, 20, hold_ms=0)
    await store.reserve(held)
    await store.reserve_and_dispatch(lost)
    await set_clock(link, "2027-03-10 15:30:00")
    assert len(await store.expire()) == 1
    await store.settle(held.id, NanoUsd(5))
    assert await totals(link, Window.HOUR, Window.DAY) == [(0, 0), (25, 0)]
    await set_clock(link, "2027-03-10 18:30:00")
    await store.settle(lost.id, NanoUsd(3))
    assert await totals(link, Window.HOUR, Window.DAY) == [(0, 0), (8, 0)]


async def test_held_money_in_a_window_may_come_free(store: Store, link: RedisLink) -> None:
    """That is worth waiting for; spent money of it is not."""
    await set_clock(link, NOON)
    held = within(Window.HOUR, 80)
    await store.reserve(held)
    assert (await denied(store, within(Window.HOUR, 30))).obstacle is Obstacle.HELD
    await store.settle(held.id, NanoUsd(80))
    assert (await denied(store, within(Window.HOUR, 30))).obstacle is Obstacle.SPENT


async def test_what_lasts_longest_decides(store: Store, link: RedisLink) -> None:
    """A call that no lifetime pays for is not told to come again in the next hour."""
    await set_clock(link, NOON)
    limits = tuple(
        ScopeLimit(GLOBAL, NanoUsd(100), window)
        for window in (FIVE, Window.HOUR, Window.WEEK, Window.LIFETIME, Window.DAY)
    )
    await spend(store, reservation(80, limit=None, limits=limits))
    windows = []
    for end in (5, 3, 2, 1):
        found = await denied(store, reservation(30, limit=None, limits=limits[:end]))
        windows.append(found.barriers[found.decisive].limit.window)
    assert windows == ["lifetime", "week", "hour", "rolling:5m"]


@pytest.mark.parametrize("window", [Window.HOUR, Window.LIFETIME])
async def test_an_amount_refused_for_good_stays_refused_in_its_bucket(
    store: Store, link: RedisLink, window: Window
) -> None:
    """Though its money comes back, until the limit is raised or the bucket turns."""
    await set_clock(link, NOON)
    lost = within(window, 100, hold_ms=0)
    await store.reserve_and_dispatch(lost)
    await store.expire()
    assert (await denied(store, within(window, 50))).barriers[0].closed_nano_usd == 50
    await store.settle(lost.id, NanoUsd(0))
    assert (await denied(store, within(window, 50))).obstacle is Obstacle.SPENT
    await spend(store, within(window, 49), 0)
    await set_clock(link, "2027-03-10 13:00:00")
    if window is Window.LIFETIME:
        await denied(store, within(window, 50))
        await spend(store, within(window, 50, 101), 0)
    await spend(store, within(window, 50), 0)


async def test_no_five_minutes_are_ever_above_a_rolling_limit(
    store: Store, link: RedisLink
) -> None:
    """Wherever in ten seconds they begin; money leaves with the ten seconds that it came in."""
    start = await set_clock(link, "2027-03-10 12:00:09.900")
    await spend(store, within(FIVE, 60))
    await set_clock(link, start + 30_000)
    await spend(store, within(FIVE, 40))
    for ms in (30_000, 299_000, 300_050):
        await set_clock(link, start + ms)
        found = await denied(store, within(FIVE, 50))
        assert found.obstacle is Obstacle.SPENT
        assert found.barriers[0].resets_at_unix_ms == unix_ms("2027-03-10 12:05:10")
    assert (await denied(store, within(FIVE, 70))).barriers[0].resets_at_unix_ms == unix_ms(
        "2027-03-10 12:05:40"
    )
    assert (await denied(store, within(FIVE, 101))).barriers[0].resets_at_unix_ms is None
    await set_clock(link, "2027-03-10 12:05:10")
    await spend(store, within(FIVE, 50))
    assert await totals(link, FIVE, Window("rolling:6m")) == [(90, 0), (150, 0)]


async def test_a_rolling_window_counts_all_of_its_minutes(store: Store, link: RedisLink) -> None:
    """A call in each ten seconds of more than an hour: those of N minutes, and one more."""
    start = await set_clock(link, NOON)
    for tick in range(366):
        await set_clock(link, start + tick * 10_000)
        call = within(FIVE, 1, 10**6)
        await asyncio.gather(store.reserve(call), store.settle(call.id, NanoUsd(1)))
    minutes = (1, 7, 30, 60)
    found = await totals(link, *(Window(f"rolling:{n}m") for n in minutes))
    assert found == [(n * 6 + 1, 0) for n in minutes]


async def test_a_late_end_corrects_the_ten_seconds_of_its_reservation(
    store: Store, link: RedisLink
) -> None:
    """Within the hour; later there is no rolling window left that it is in."""
    start = await set_clock(link, NOON)
    calls = [within(Window("rolling:60m"), 40) for _ in range(2)]
    for call in calls:
        await store.reserve(call)
    await set_clock(link, start + 59 * 60_000)
    await store.settle(calls[0].id, NanoUsd(25))
    hour = Window("rolling:60m")
    assert await totals(link, hour, FIVE) == [(25, 40), (0, 0)]
    await set_clock(link, start + 80 * 60_000)
    await store.settle(calls[1].id, NanoUsd(40))
    assert await totals(link, hour, Window.DAY) == [(0, 0), (65, 0)]


async def test_no_block_of_a_rolling_window_lives_for_ever(store: Store, link: RedisLink) -> None:
    """Nor for less than an hour after its end."""
    for _ in range(3):
        await spend(store, within(FIVE, 4), 3)
    keys = await link.send("KEYS", "*:rolling:*")
    lives = [await link.send("PTTL", key) for key in keys]
    assert len(keys) >= 7
    assert min(lives) > 69 * 60_000
    assert max(lives) <= 75 * 60_000


async def test_windows_are_exact_whatever_was_spent_before(store: Store, link: RedisLink) -> None:
    """A lifetime above what doubles tell apart; one nano-dollar still decides in its windows."""
    start = await set_clock(link, "2027-03-10 12:59:50")
    for _ in range(3):
        await spend(store, reservation(MAX_LIMIT_NANO_USD - 1, limit=None))
    await set_clock(link, start + 10_000)
    await spend(store, within(Window.HOUR, 99))
    await denied(store, within(Window.HOUR, 2))
    await spend(store, within(Window.HOUR, 1))
    assert await totals(link, Window.HOUR) == [(100, 0)]


async def test_every_kind_of_scope_is_counted_in_every_window(
    store: Store, link: RedisLink
) -> None:
    """Whether or not there is a limit."""
    await set_clock(link, NOON)
    call, other_call = (
        reservation(10, limit=None, workflow="agent", root="r", task_id="1", execution_id="e")
        for _ in range(2)
    )
    await store.reserve(call)
    await spend(store, other_call, 7)
    windows = [Window.LIFETIME, *CALENDAR, FIVE]
    found = await read_totals(link, call.scopes, windows)
    assert {each.scope.kind for each in found} == set(ScopeKind)
    assert {each.totals for each in found} == {ScopeTotals(NanoUsd(7), NanoUsd(10))}
    other = await read_totals(link, [Scope(ScopeKind.TENANT, "other")], windows)
    assert {each.totals for each in other} == {ScopeTotals(NanoUsd(0), NanoUsd(0))}


async def test_a_clock_that_is_set_back_a_little_begins_no_window_twice(
    store: Store, link: RedisLink
) -> None:
    """Time stands still until it is past what the ledger has."""
    await set_clock(link, "2027-03-10 13:00:01")
    await spend(store, within(Window.HOUR, 80))
    await set_clock(link, "2027-03-10 12:59:58")
    await denied(store, within(Window.HOUR, 30))
    assert await totals(link, Window.HOUR) == [(80, 0)]


async def test_no_gateway_uses_a_store_whose_clock_was_moved(store: Store, link: RedisLink) -> None:
    """Only a test that says so."""
    await set_clock(link, NOON)
    with pytest.raises(StoreUnavailableError, match=re.escape(f"HDEL {META} {TEST_CLOCK}")):
        await Store(link).load()
    await Store(link, accept_test_clock=True).load()
    await link.send("HDEL", META, TEST_CLOCK)
    await Store(link).load()
    assert store


async def test_activities_are_forgotten_and_no_other_scope_is(
    store: Store, link: RedisLink
) -> None:
    """35 days after the last call, also from the list; one that is stopped is kept."""
    start = await set_clock(link, NOON)

    def execute(task: str) -> Reservation:
        return reservation(1, limit=None, task_id=task, execution_id="e")

    calls = [execute(task) for task in "123"]
    activities = [call.scopes[5] for call in calls]
    for call in calls:
        await spend(store, call)
    await Switches(link).kill(Order(ScopeKind.ACTIVITY, activities[0].id, "why", "ann"))
    assert isinstance(await store.reserve(execute("1")), Stopped)
    lives = [await link.send("PTTL", scope.key) for call in calls for scope in call.scopes]
    kept_ms = 35 * 24 * HOUR_MS
    kinds = [scope.kind for call in calls for scope in call.scopes]
    for kind, lives_ms in list(zip(kinds, lives, strict=True))[len(ScopeKind) :]:
        is_forgotten = kind is ScopeKind.ACTIVITY
        assert kept_ms - 60_000 < lives_ms <= kept_ms if is_forgotten else lives_ms == -1
    assert lives[5] == -1
    await set_clock(link, start + kept_ms + 20_000)
    await spend(store, execute("4"))
    states, known = await Reading(link).latest(ScopeKind.ACTIVITY, 10)
    assert known == 2
    assert {state.id for state in states} == {execute("4").scopes[5].id, activities[0].id}
