"""Laws of replaying entries: what is rebuilt equals what was counted."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from budget.recovery.entries import of_ledger
from budget.recovery.picture import Picture, Report, View
from budget.recovery.rebuild import Rebuilder
from budget.recovery.records import Record
from budget.store.library import LEDGER, META, load_library
from budget.store.link import RedisLink
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import reservation
from tests.budget.recovery.ledgers import money_in
from tests.budget.store.clock import set_clock

SECOND_MS = 1000
TENANT_KEY = "{budget}:scope:tenant:lifetime:unknown"
GLOBAL_KEY = "{budget}:scope:global:lifetime:"
INSTANCE_KEY = "{budget}:scope:instance:lifetime:i-1"


async def spend(link: RedisLink) -> None:
    """Make calls that end in every way, over the turn of an hour, a day, a week and a month."""
    store = Store(link, accept_test_clock=True)
    await store.load()
    await store.open()
    await set_clock(link, "2027-01-31 23:59:50")
    calls = [reservation(10 + n, hold_ms=60 * SECOND_MS, root=f"r{n % 2}") for n in range(6)]
    for call in calls:
        await store.reserve_and_dispatch(call)
    undispatched = reservation(5, hold_ms=60 * SECOND_MS)
    await store.reserve(undispatched)
    await store.settle(calls[0].id, NanoUsd(7))
    await set_clock(link, "2027-02-01 00:00:05")
    await store.settle(calls[1].id, NanoUsd(30), is_estimated=True)
    await store.release(calls[2].id)
    await store.reserve_and_dispatch(reservation(40, instance="i/2"))
    await set_clock(link, "2027-02-01 00:01:30")
    assert len(await store.expire()) == 4
    await set_clock(link, "2027-02-01 01:00:00")
    await store.settle(calls[3].id, NanoUsd(2))
    await store.release(calls[4].id)
    await store.settle(undispatched.id, NanoUsd(3))
    await store.reserve(reservation(50))


async def entries_of(link: RedisLink) -> list[Record]:
    """Return the ledger as journals hold it."""
    return [of_ledger(*row) for row in await link.send("XRANGE", LEDGER, "-", "+")]


async def heard(rebuilder: Rebuilder, epoch: str) -> Picture:
    """Report as a gateway."""
    return await rebuilder.report("g", Report(epoch, 0, 0, View(0, {})))


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """Give a second view of the database."""
    connection = redis.Redis.from_url(redis_url, decode_responses=True)
    yield connection
    connection.close()


async def test_a_rebuilt_ledger_equals_the_one_that_was_lost(link: RedisLink, client: Any) -> None:
    """Every counter of every scope and window, whether it is rebuilt at once or in parts."""
    await spend(link)
    entries, before = await entries_of(link), money_in(client)
    epoch, last = before["meta"][0], len(entries)
    client.flushdb()
    rebuilder = Rebuilder(link)
    await load_library(link)
    await heard(rebuilder, epoch)
    for first, after in ((0, 9), (3, 4), (5, last)):
        await rebuilder.stage(entries[first:after])
        await rebuilder.stage(entries[first:after])
        await rebuilder.rebuild(epoch, last, skips=False)
    assert await rebuilder.rebuild(epoch, last, skips=False) == (last, None)
    picture = await heard(rebuilder, epoch)
    assert (picture.seq, picture.is_fenced, picture.first) == (last, True, 1)
    assert await rebuilder.finish(picture, epoch, new_epoch="", trip=("r", "a", "d"))
    assert money_in(client) == before
    assert not (await heard(rebuilder, epoch)).is_fenced


async def test_no_money_moves_before_somebody_vouches(link: RedisLink, client: Any) -> None:
    """Nor is the ledger of another name touched."""
    await spend(link)
    entries = await entries_of(link)
    epoch = client.hget(META, "epoch")
    client.flushdb()
    rebuilder = Rebuilder(link)
    await rebuilder.stage(entries)
    assert await rebuilder.rebuild(epoch, 5, skips=False) == (5, None)
    before = money_in(client)
    for name, keys, arguments in (
        ("settle", ("holds", "ledger", f"hold:{entries[0]['id']}"), (entries[0]["id"], "1", "0")),
        ("release", ("holds", "ledger", f"hold:{entries[0]['id']}"), (entries[0]["id"],)),
    ):
        with pytest.raises(redis.ResponseError, match="RECOVERING"):
            client.fcall(
                f"budget_v3_{name}",
                1 + len(keys),
                META,
                *(f"{{budget}}:{key}" for key in keys),
                *arguments,
            )
    expired = client.fcall(
        "budget_v3_expire", 3, META, "{budget}:holds", LEDGER, 100, "{budget}:hold:", 0
    )
    assert expired == [epoch, "5", "RECOVERING"]
    assert await rebuilder.rebuild("another", 9, skips=True) == (5, None)
    assert money_in(client) == before


async def test_what_a_gap_hides_is_charged_to_all_calls(link: RedisLink, client: Any) -> None:
    """A settlement without its reservation counts for the global scope, and for its instance."""
    store = Store(link)
    await store.load()
    await store.open()
    lost, kept = reservation(10), reservation(20)
    await store.reserve_and_dispatch(lost)
    await store.reserve_and_dispatch(kept)
    await store.settle(lost.id, NanoUsd(9))
    await store.settle(kept.id, NanoUsd(18))
    entries, epoch = await entries_of(link), client.hget(META, "epoch")
    client.flushdb()
    rebuilder = Rebuilder(link)
    await heard(rebuilder, epoch)
    await rebuilder.stage(entries[1:])
    assert await rebuilder.rebuild(epoch, 4, skips=False) == (0, 2)
    assert await rebuilder.rebuild(epoch, 4, skips=True) == (4, None)
    assert (await heard(rebuilder, epoch)).gaps == "1..1"
    for key in (GLOBAL_KEY, INSTANCE_KEY):
        assert client.hmget(key, "spent", "reserved", "calls") == ["27", "0", "2"]
    assert client.hget(TENANT_KEY, "spent") == "18"
    assert [entry_id for entry_id, _ in client.xrange(LEDGER)] == [f"{n}-0" for n in range(2, 5)]
