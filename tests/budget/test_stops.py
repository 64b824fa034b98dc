import redis

from budget.instances import StopState
from budget.link import RedisLink
from budget.scopes import ScopeKind
from budget.stops import StopQueue, StopReport
from budget.store import Store
from budget.switches import Order, Switches

LEASE_MS = 60_000
AGAIN = StopReport(StopState.PENDING, jobs_left=1, error="1 jobs were there", retry_after_ms=0)


async def test_a_stop_is_given_up_when_it_is_too_old_by_the_stores_clock(
    store: Store, link: RedisLink, redis_url: str
) -> None:
    """Each attempt that is not enough leaves it pending, the one after its time fails it."""
    assert store
    order = Order(ScopeKind.INSTANCE, "w", "runs away", "ann")
    await Switches(link).kill_at_source(order, "lab")
    queue = StopQueue(link)
    (first,) = await queue.take(1, LEASE_MS)
    assert await queue.report(first, AGAIN, 60_000) is StopState.PENDING
    (second,) = await queue.take(1, LEASE_MS)
    assert (second.instance, second.attempt) == ("w", 2)
    assert await queue.report(second, AGAIN, 0) is StopState.FAILED
    assert await queue.take(1, LEASE_MS) == ()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        found = client.hgetall("{budget}:stop:w")
    assert (found["state"], found["left"]) == ("failed", "1")
    assert found["error"] == "given up after 0 s: 1 jobs were there"


async def test_whoever_reports_after_another_took_it_changes_nothing(
    store: Store, link: RedisLink
) -> None:
    """A stop that was taken again is the second one's; the first one's report is not heard."""
    assert store
    order = Order(ScopeKind.INSTANCE, "w", "runs away", "ann")
    await Switches(link).kill_at_source(order, "lab")
    queue = StopQueue(link)
    (late,) = await queue.take(1, 0)
    (again,) = await queue.take(1, LEASE_MS)
    done = StopReport(StopState.STOPPED, jobs_left=0)
    assert await queue.report(late, done, 60_000) is None
    assert await queue.report(again, done, 60_000) is StopState.STOPPED
