"""Laws of the functions in Redis, watched through the store."""

from dataclasses import replace
from pathlib import Path

import pytest

from budget.claims import Execution
from budget.errors import StoreArgumentError, StoreLostError, StoreUnavailableError
from budget.reservations import Allowed, Denied, HoldState, Obstacle, Reservation
from budget.scopes import GLOBAL, MAX_LIMIT_NANO_USD, ScopeKind
from budget.store.library import ACTIVITY_PREFIX, STRANGERS
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import HOUR_MS, LIMIT, reservation
from tests.support.services import redis_server


async def totals(link: RedisLink) -> tuple[int, int]:
    """Return what is spent and what is held in all."""
    state = await Reading(link).total()
    return state.totals.spent, state.totals.reserved


async def test_a_call_is_held_in_every_scope_or_in_none(store: Store, link: RedisLink) -> None:
    """An instance without money holds nothing in the global scope either."""
    await store.reserve(reservation(60, instance_limit=100))
    denied = await store.reserve(reservation(60, instance_limit=100))
    assert isinstance(denied, Denied)
    assert denied.decisive == 1
    assert await totals(link) == (0, 60)


async def test_spent_money_outranks_held_money(store: Store) -> None:
    """A call that one scope refuses for good is not told to wait for another."""
    first = reservation(60, instance_limit=100)
    await store.reserve(first)
    await store.settle(first.id, NanoUsd(60))
    await store.reserve(reservation(40, instance="i-2", limit=110, instance_limit=100))
    denied = await store.reserve(reservation(50, limit=110, instance_limit=100))
    assert isinstance(denied, Denied)
    assert (denied.obstacle, denied.decisive) == (Obstacle.SPENT, 1)


async def test_what_was_refused_for_good_is_never_served_later(
    store: Store, link: RedisLink
) -> None:
    """Money that a late settlement gives back serves smaller calls only, until the limit rises."""
    lost = reservation(1000, hold_ms=0)
    await store.reserve_and_dispatch(lost)
    assert [e.state for e in await store.expire()] == [HoldState.EXPIRED_SPENT]
    assert isinstance(await store.reserve(reservation(500)), Denied)
    cut_off = (await Reading(link).total()).cut_off_unix_ms
    assert cut_off is not None
    await store.settle(lost.id, NanoUsd(0))
    again = await store.reserve(reservation(500))
    assert isinstance(again, Denied)
    assert again.obstacle is Obstacle.SPENT
    assert isinstance(await store.reserve(reservation(499)), Allowed)
    assert (await Reading(link).total()).cut_off_unix_ms == cut_off
    assert isinstance(await store.reserve(reservation(500, limit=1001)), Allowed)
    assert (await Reading(link).total()).cut_off_unix_ms is None


async def test_a_call_larger_than_the_whole_limit_closes_nothing(
    store: Store, link: RedisLink
) -> None:
    """An untouched budget is not cut off by one oversized request; smaller calls go on."""
    denied = await store.reserve(reservation(1001, instance_limit=500))
    assert isinstance(denied, Denied)
    assert denied.obstacle is Obstacle.SPENT
    assert [barrier.closed_nano_usd for barrier in denied.barriers] == [None, None]
    assert (await Reading(link).total()).cut_off_unix_ms is None
    spending = reservation(400)
    assert isinstance(await store.reserve(spending), Allowed)
    await store.settle(spending.id, NanoUsd(400))
    assert isinstance(await store.reserve(reservation(1001)), Denied)
    assert (await Reading(link).total()).cut_off_unix_ms is None
    assert isinstance(await store.reserve(reservation(601)), Denied)
    assert (await Reading(link).total()).cut_off_unix_ms is not None


async def test_refused_strangers_leave_no_keys(store: Store, link: RedisLink) -> None:
    """An instance that never held money is not remembered; its refusal counts in all."""
    for number in range(50):
        stranger = reservation(60, instance=f"i-{number}", instance_limit=50)
        assert isinstance(await store.reserve(stranger), Denied)
    states, known = await Reading(link).latest(ScopeKind.INSTANCE, 100)
    assert (states, known) == ([], 0)
    assert await link.send("KEYS", "*:scope:*") == [GLOBAL.key]
    assert await link.send("KEYS", "*:instance:*") == []
    assert (await Reading(link).total()).refusals == 50


async def test_an_instance_that_became_known_keeps_its_counts(
    store: Store, link: RedisLink
) -> None:
    """The bound on strangers forgets the oldest of those who still are."""

    def call(task: int, amount: int, instance: str = "i-1") -> Reservation:
        execution = Execution(f"{instance}-{task}", "1", "think")
        return replace(reservation(amount, instance=instance), execution=execution)

    for task in (1, 2):
        assert isinstance(await store.reserve(call(task, LIMIT + 1)), Denied)
    assert isinstance(await store.reserve(call(1, LIMIT + 1, "stranger")), Denied)
    assert isinstance(await store.reserve(call(1, 1)), Allowed)
    fillers = [str(part) for n in range(9_998) for part in (10**15, f"{{budget}}:activity:f-{n}")]
    await link.send("ZADD", STRANGERS, *fillers)
    for task in (3, 4):
        assert isinstance(await store.reserve(call(task, LIMIT + 1, "other")), Denied)
    counted = [f"{ACTIVITY_PREFIX}{name}:0" for name in ("i-1-1", "i-1-2", "stranger-1")]
    assert [await link.send("HGET", key, "call:1") for key in counted] == ["2", "1", None]
    assert await link.send("ZSCORE", STRANGERS, counted[0]) is None


async def test_a_cost_above_the_reservation_is_recorded_in_full(
    store: Store, link: RedisLink
) -> None:
    """The ledger tells the truth, and says how far it was above."""
    held = reservation(10)
    await store.reserve(held)
    settled = await store.settle(held.id, NanoUsd(25))
    assert settled is not None
    assert settled.overshoot_nano_usd == 15
    assert await totals(link) == (25, 0)
    assert (await Reading(link).ledger(0, 10)).entries[-1].overshoot == 15


async def test_a_cost_is_never_lost_to_an_expiry(store: Store, link: RedisLink) -> None:
    """Should a hold that expired undispatched be settled all the same, its cost is recorded."""
    held = reservation(10, hold_ms=0)
    await store.reserve(held)
    assert [e.state for e in await store.expire()] == [HoldState.EXPIRED_RELEASED]
    assert not await store.dispatch(held.id)
    assert await totals(link) == (0, 0)
    assert await store.settle(held.id, NanoUsd(7))
    assert await totals(link) == (7, 0)


async def test_amounts_are_exact_to_the_highest_limit(store: Store, link: RedisLink) -> None:
    """At nine million dollars one nano-dollar still decides."""
    first = reservation(MAX_LIMIT_NANO_USD - 1, limit=MAX_LIMIT_NANO_USD)
    await store.reserve(first)
    await store.settle(first.id, first.amount_nano_usd)
    assert isinstance(await store.reserve(reservation(2, limit=MAX_LIMIT_NANO_USD)), Denied)
    assert isinstance(await store.reserve(reservation(1, limit=MAX_LIMIT_NANO_USD)), Allowed)
    assert await totals(link) == (8_999_999_999_999_999, 1)


async def test_a_limit_of_nothing_allows_only_what_is_free(store: Store) -> None:
    """Zero means zero, and no limit means none."""
    assert isinstance(await store.reserve(reservation(1, limit=0)), Denied)
    assert isinstance(await store.reserve(reservation(0, limit=0, instance="i-2")), Allowed)
    assert isinstance(await store.reserve(reservation(10**15, limit=None)), Allowed)


@pytest.mark.parametrize(
    ("amount", "limit"),
    [(-1, 5), (MAX_LIMIT_NANO_USD + 1, 5), (10**19, 5), (1, -1), (1, MAX_LIMIT_NANO_USD + 1)],
)
async def test_a_bad_amount_is_refused_before_anything_is_written(
    store: Store, link: RedisLink, amount: int, limit: int
) -> None:
    """An amount or a limit that can't be compared exactly changes nothing."""
    with pytest.raises(StoreArgumentError):
        await store.reserve(reservation(amount, limit=limit))
    assert await totals(link) == (0, 0)
    assert (await Reading(link).ledger(0, 10)).entries == ()


async def test_an_id_is_used_once_and_never_after_its_release(store: Store) -> None:
    """A reservation that was given up can't come true later."""
    used = reservation(1)
    await store.reserve(used)
    with pytest.raises(StoreArgumentError):
        await store.reserve(used)
    assert not await store.release("given-up")
    with pytest.raises(StoreArgumentError):
        await store.reserve(reservation(1, reservation_id="given-up"))


async def test_an_extended_hold_does_not_expire(store: Store) -> None:
    """Extending lets an open hold live on, and does nothing for a closed one."""
    held = reservation(1, hold_ms=0)
    await store.reserve(held)
    assert await store.extend(held.id, HOUR_MS)
    assert await store.expire() == ()
    await store.release(held.id)
    assert not await store.extend(held.id, HOUR_MS)


async def test_a_hold_past_its_time_lives_on_for_the_grace(store: Store) -> None:
    """Once, unless it is extended in that time: then there will be another one."""
    alive, dead = reservation(1, hold_ms=0), reservation(2, hold_ms=0)
    for each in (alive, dead):
        await store.reserve(each)
    assert await store.expire(grace_ms=1) == ()
    assert await store.extend(alive.id, 0)
    expired = [each for _ in range(100) for each in await store.expire(grace_ms=HOUR_MS)]
    assert [each.reservation_id for each in expired] == [dead.id]


async def test_an_emptied_store_admits_nothing(store: Store, link: RedisLink) -> None:
    """A ledger that vanished is noticed by the next reservation and by the next opening."""
    await store.reserve(reservation(1))
    await link.send("FLUSHDB")
    with pytest.raises(StoreLostError):
        await store.reserve(reservation(1))
    with pytest.raises(StoreLostError):
        await store.open()


async def test_a_rolled_back_store_admits_nothing(store: Store, link: RedisLink) -> None:
    """A ledger older than what was acknowledged is noticed."""
    await store.reserve(reservation(1))
    await store.reserve(reservation(1))
    await link.send("HSET", "{budget}:meta", "seq", 1)
    with pytest.raises(StoreLostError):
        await store.reserve(reservation(1))


async def test_what_another_gateway_wrote_can_not_be_rolled_back_unseen(
    store: Store, link: RedisLink
) -> None:
    """A gateway that only looks for expired holds knows the ledger's end all the same."""
    await store.reserve(reservation(1))
    other = Store(link)
    await other.open()
    for _ in range(9):
        await other.reserve_and_dispatch(reservation(1))
    assert await store.expire() == ()
    await link.send("HSET", "{budget}:meta", "seq", 9)
    with pytest.raises(StoreLostError):
        await store.reserve(reservation(1))


@pytest.mark.parametrize("end", ["settle", "dispatch"])
async def test_every_entry_of_a_gateway_s_own_is_known(
    store: Store, link: RedisLink, end: str
) -> None:
    """The entry that ends or dispatches a call is missed as much as a reservation."""
    held = reservation(1)
    await store.reserve(held)
    if end == "settle":
        await store.settle(held.id, NanoUsd(1))
    else:
        await store.dispatch(held.id)
    await link.send("HSET", "{budget}:meta", "seq", 1)
    with pytest.raises(StoreLostError):
        await store.expire()


async def test_a_loss_once_seen_is_for_good(store: Store, link: RedisLink) -> None:
    """Entries that others write after a rollback don't bring back what was lost."""
    await store.reserve(reservation(1))
    await store.reserve(reservation(1))
    await link.send("HSET", "{budget}:meta", "seq", 1)
    with pytest.raises(StoreLostError):
        await store.expire()
    await link.send("HSET", "{budget}:meta", "seq", 9)
    for ask in (store.load(), store.open(), store.expire(), store.reserve(reservation(1))):
        with pytest.raises(StoreLostError):
            await ask
    assert await totals(link) == (0, 2)


async def test_functions_that_are_there_are_not_loaded_again(tmp_path: Path) -> None:
    """A full store refuses to load functions, not to say which it has."""
    with redis_server(tmp_path) as (_, port):
        link = RedisLink(f"redis://127.0.0.1:{port}/0")
        link.start()
        store = Store(link)
        await store.load()
        await link.send("CONFIG", "SET", "maxmemory", 1)
        await store.load()
        await link.send("FUNCTION", "FLUSH")
        with pytest.raises(StoreUnavailableError, match="maxmemory"):
            await store.load()
        await link.close()


async def test_a_full_store_closes_holds_and_makes_none(tmp_path: Path) -> None:
    """What gives money back or spends it runs without memory; a reservation does not."""
    with redis_server(tmp_path) as (_, port):
        link = RedisLink(f"redis://127.0.0.1:{port}/0")
        link.start()
        store = Store(link)
        await store.load()
        await store.open()
        due, settled, released = reservation(1, hold_ms=0), reservation(2), reservation(4)
        for held in (due, settled, released):
            await store.reserve_and_dispatch(held)
        await link.send("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(StoreUnavailableError, match="maxmemory"):
            await store.reserve(reservation(1))
        await store.load()
        assert [e.reservation_id for e in await store.expire()] == [due.id]
        assert await store.settle(settled.id, NanoUsd(2))
        assert await store.release(released.id)
        assert await totals(link) == (3, 0)
        await link.close()


async def test_an_unsafe_store_goes_on_after_a_loss_when_told(
    store: Store, link: RedisLink
) -> None:
    """Who accepted an unsafe store gets a new ledger after a loss, and is told so."""
    lenient = Store(link, accept_loss=True)
    assert not await lenient.open()
    await link.send("FLUSHDB")
    assert await lenient.open()
    assert isinstance(await lenient.reserve(reservation(1)), Allowed)
    with pytest.raises(StoreLostError):
        await store.reserve(reservation(1))
