"""Laws of the queue of stops at the source."""

import pytest

from budget.instances import StopState
from budget.library import stop_key
from budget.link import RedisLink
from budget.scopes import ScopeKind
from budget.stops import StopQueue, StopReport
from budget.store import Store
from budget.switches import Order, Switches

WEEK_MS = 7 * 86_400_000
LEASE_MS = GIVE_UP_MS = 60_000
AGAIN = StopReport(StopState.PENDING, jobs_left=1, error="1 jobs were there", retry_after_ms=0)
DONE = StopReport(StopState.STOPPED, jobs_left=0)


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


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_stop_that_ended_is_forgotten_after_a_week(
    queue: StopQueue, link: RedisLink, *, is_resumed: bool
) -> None:
    """However it ended; while one is pending it is kept for as long as it takes."""
    switches = Switches(link)
    for _ in range(2):
        await switches.kill_at_source(order("w"), "lab")
        assert await lives_for_ms(link, "w") == -1
        (stop,) = await queue.take(1, LEASE_MS)
        if is_resumed:
            await switches.resume(order("w"))
        else:
            await queue.report(stop, DONE, GIVE_UP_MS)
        assert WEEK_MS - 60_000 < await lives_for_ms(link, "w") <= WEEK_MS


async def test_a_stop_is_given_up_when_it_is_too_old_by_the_stores_clock(
    queue: StopQueue, link: RedisLink
) -> None:
    """Each attempt that is not enough leaves it pending, the one after its time fails it."""
    await Switches(link).kill_at_source(order("w"), "lab")
    (first,) = await queue.take(1, LEASE_MS)
    assert await queue.report(first, AGAIN, GIVE_UP_MS) is StopState.PENDING
    (second,) = await queue.take(1, LEASE_MS)
    assert (second.instance, second.attempt) == ("w", 2)
    assert await queue.report(second, AGAIN, 0) is StopState.FAILED
    assert await queue.take(1, LEASE_MS) == ()
    found = await link.send("HMGET", stop_key("w"), "state", "left", "error")
    assert found == ["failed", "1", "given up after 0 s: 1 jobs were there"]


async def test_whoever_reports_after_another_took_it_changes_nothing(
    queue: StopQueue, link: RedisLink
) -> None:
    """A stop that was taken again is the second one's; the first one's report is not heard."""
    await Switches(link).kill_at_source(order("w"), "lab")
    (late,) = await queue.take(1, 0)
    (again,) = await queue.take(1, LEASE_MS)
    assert await queue.report(late, DONE, GIVE_UP_MS) is None
    assert await queue.report(again, DONE, GIVE_UP_MS) is StopState.STOPPED
