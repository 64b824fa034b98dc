"""Laws of shares of a limit that are reported."""

from budget.reservations import Allowed, Reservation
from budget.scopes import GLOBAL, Scope, ScopeKind, ScopeLimit, Window
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import reservation
from tests.budget.store.clock import set_clock

NOON = "2027-03-10 12:00:00"


def call(amount: int, limit: int = 100, window: Window = Window.HOUR) -> Reservation:
    """Build a call under one limit."""
    return reservation(amount, limit=None, limits=(ScopeLimit(GLOBAL, NanoUsd(limit), window),))


async def told(store: Store, *calls: Reservation) -> list[int]:
    """Make calls; return how many shares each reported."""
    found = [await store.reserve(wanted) for wanted in calls]
    return [len(each.trips) if isinstance(each, Allowed) else -1 for each in found]


async def shares(link: RedisLink) -> list[str]:
    """Return the shares that were reported."""
    trips = (await Reading(link).trips(0, 100)).trips
    assert {trip.kind for trip in trips} <= {"threshold"}
    return [trip.reason.partition(" ")[0] for trip in trips]


async def test_a_share_is_reported_when_it_is_reached_and_once(
    store: Store, link: RedisLink
) -> None:
    """Held money counts; a call that passes several reports each."""
    await set_clock(link, NOON)
    assert await told(store, call(49), call(1), call(1), call(44), call(5), call(1)) == [
        *(0, 1, 0, 2, 0, -1)
    ]
    assert await shares(link) == ["50", "80", "95"]
    trip = (await Reading(link).trips(0, 1)).trips[0]
    assert (trip.scope, trip.id, trip.actor, trip.detail) == ("global", "", "gateway", "hour")
    assert trip.reason == "50 % of the hour limit of $0.000000100 is spent or held"


async def test_a_new_bucket_reports_anew(store: Store, link: RedisLink) -> None:
    """Each hour; a lifetime once."""
    await set_clock(link, NOON)
    both = (
        ScopeLimit(GLOBAL, NanoUsd(100), Window.HOUR),
        ScopeLimit(GLOBAL, NanoUsd(120)),
    )
    assert await told(store, reservation(60, limit=None, limits=both)) == [2]
    await set_clock(link, "2027-03-10 13:00:00")
    assert await told(store, reservation(1, limit=None, limits=both)) == [0]
    assert await told(store, reservation(54, limit=None, limits=both)) == [3]
    assert await shares(link) == ["50", "50", "50", "80", "95"]


async def test_a_raised_limit_reports_the_shares_above_its_own_again(
    store: Store, link: RedisLink
) -> None:
    """And those that were reported for the old one are not, should it come back."""
    await set_clock(link, NOON)
    assert await told(store, call(96)) == [3]
    assert await told(store, call(1, 150), call(22, 150), call(1, 150)) == [0, 0, 1]
    assert await told(store, call(1, 1000), call(400, 1000)) == [0, 1]
    assert await told(store, call(0, 100), call(0, 150)) == [-1, -1]
    assert await shares(link) == ["50", "80", "95", "80", "50", "95"]


async def test_a_lowered_limit_reports_what_it_passes_by_itself(
    store: Store, link: RedisLink
) -> None:
    """That is news, with the next call; what was reported before is none."""
    await set_clock(link, NOON)
    assert await told(store, call(60, 100), call(0, 70)) == [1, 1]
    assert await shares(link) == ["50", "80"]


async def test_a_limit_of_nothing_has_no_shares_and_an_activity_s_is_no_news(
    store: Store, link: RedisLink
) -> None:
    """There are too many activities."""
    wanted = reservation(90, limit=None, task_id="1", execution_id="e")
    activity = next(scope for scope in wanted.scopes if scope.kind is ScopeKind.ACTIVITY)
    limits = (
        ScopeLimit(activity, NanoUsd(100)),
        ScopeLimit(Scope(ScopeKind.INSTANCE, "i-1"), NanoUsd(1000)),
    )
    assert await told(
        store,
        call(0, 0),
        reservation(90, limit=None, limits=limits, task_id="1", execution_id="e"),
    ) == [0, 0]
    assert await shares(link) == []
