"""Laws of the queue of stops at the source."""

import pytest

from budget.instances import StopState
from budget.scopes import ScopeKind
from budget.store.library import stop_key
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.stops import StopQueue, StopReport
from budget.store.store import Store
from budget.store.switches import Order, Switches

MINUTE_MS = 60_000
WEEK_MS = 7 * 86_400_000


@pytest.fixture
def queue(store: Store, link: RedisLink) -> StopQueue:
    """Give the queue of an open store."""
    assert store
    return StopQueue(link)


def order(instance: str) -> Order:
    """Build an order about an instance."""
    return Order(ScopeKind.INSTANCE, instance, "runs away", "ann")


async def lives_for_ms(link: RedisLink, instance: str) -> int:
    """Return for how long an instance's stop is kept; -1 is for ever."""
    return int(await link.send("PTTL", stop_key(instance)))


async def test_one_app_is_taken_at_a_time(queue: StopQueue, link: RedisLink) -> None:
    """Another gateway takes the others': no lease runs for what is not being attempted."""
    for instance, app in (("a-1", "a"), ("b-1", "b"), ("a-2", "a")):
        await Switches(link).kill_at_source(order(instance), app)
    taken = [[stop.instance for stop in await queue.take(64, 60_000)] for _ in range(3)]
    assert taken == [["a-1", "a-2"], ["b-1"], []]


@pytest.mark.parametrize(
    ("age_ms", "state", "error"),
    [
        (0, StopState.PENDING, "no scheduler"),
        (MINUTE_MS, StopState.FAILED, "given up after 60 s: no scheduler"),
    ],
)
async def test_the_clock_that_began_a_stop_ends_it(
    queue: StopQueue, link: RedisLink, age_ms: int, state: StopState, error: str
) -> None:
    """The store's; a gateway's own may be minutes off."""
    await Switches(link).kill_at_source(order("w"), "lab")
    await link.send("HINCRBY", stop_key("w"), "requested", -age_ms)
    (stop,) = await queue.take(1, 1000)
    again = StopReport(StopState.PENDING, error="no scheduler", retry_after_ms=1)
    assert await queue.report(stop, again, MINUTE_MS) is state
    found = await Reading(link).instance("w")
    assert found is not None
    assert found.source is not None
    assert (found.source.state, found.source.error) == (state, error)


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_stop_that_ended_is_forgotten_after_a_week(
    queue: StopQueue, link: RedisLink, *, is_resumed: bool
) -> None:
    """However it ended; while one is pending it is kept for as long as it takes."""
    switches = Switches(link)
    for _ in range(2):
        await switches.kill_at_source(order("w"), "lab")
        assert await lives_for_ms(link, "w") == -1
        (stop,) = await queue.take(1, 1000)
        if is_resumed:
            await switches.resume(order("w"))
        else:
            await queue.report(stop, StopReport(StopState.STOPPED, jobs_left=0), MINUTE_MS)
        assert WEEK_MS - MINUTE_MS < await lives_for_ms(link, "w") <= WEEK_MS
