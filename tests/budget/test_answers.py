"""Laws of which answers are stored, and of how many."""

from dataclasses import replace
from pathlib import Path

import pytest

from budget.answers import MAX_STORED_BYTES, Shelf, StoredAnswer, Tee, storable
from budget.claims import Claim
from budget.reservations import Allowed, InFlight, Replay, Reservation
from budget.store.link import RedisLink
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import HOUR_MS, reservation
from tests.support.services import redis_server

PAIRS = [(b"content-type", b"application/json"), (b"x-name", b"\xe4")]


def keyed(key: str, *, hold_ms: int = HOUR_MS) -> Reservation:
    """Build a reservation with an idempotency key."""
    return replace(reservation(1, limit=None, hold_ms=hold_ms), claim=Claim(key, "b"))


def answer(body: str = "ok") -> StoredAnswer:
    """Build a stored answer without headers."""
    return StoredAnswer(200, "[]", body)


async def pay(store: Store, key: str, body: str = "ok") -> Reservation:
    """Make a call, and have its answer kept."""
    call = keyed(key)
    assert isinstance(await store.reserve_and_dispatch(call), Allowed)
    assert call.claim is not None
    assert await store.keep_and_settle(call.id, NanoUsd(1), call.claim, answer(body))
    return call


async def is_kept(store: Store, key: str) -> bool:
    """Ask for a call again; give back what it holds when it is a new one."""
    call = keyed(key)
    admission = await store.reserve(call)
    if isinstance(admission, Allowed):
        await store.release(call.id)
    return isinstance(admission, Replay)


def test_a_stored_answer_reads_as_it_was() -> None:
    """Status, headers and body, to the byte."""
    body = '{"a":"ü"}'.encode()
    stored = storable(201, PAIRS, body)
    assert stored is not None
    assert (stored.status, stored.raw_headers(), stored.body.encode()) == (201, PAIRS, body)


@pytest.mark.parametrize(
    ("status", "body"), [(302, b""), (400, b""), (502, b""), (200, b"\xff"), (200, None)]
)
def test_errors_and_what_can_not_be_stored_are_not(status: int, body: bytes | None) -> None:
    """An error may pass, what is no text can't be read again, and what is too large is bounded."""
    assert storable(status, PAIRS, b"x" * (MAX_STORED_BYTES + 1) if body is None else body) is None


def test_a_tee_keeps_all_or_nothing() -> None:
    """Half an answer is none."""
    tee = Tee(most_bytes=4)
    tee.feed(b"ab")
    tee.feed(b"cd")
    assert tee.kept == b"abcd"
    tee.feed(b"e")
    tee.feed(b"f")
    assert tee.kept is None


@pytest.mark.parametrize(
    "shelf", [Shelf(most=2), Shelf(most_bytes=2 * len("[]" + "x" * 50))], ids=["number", "bytes"]
)
async def test_the_oldest_answers_leave_first(store: Store, link: RedisLink, shelf: Shelf) -> None:
    """However large their number or their size would grow; the sum of their sizes is exact."""
    bounded = Store(link, shelf=shelf)
    await bounded.open()
    for key in "abc":
        await pay(bounded, key, "x" * 50)
    assert [await is_kept(store, key) for key in "abc"] == [False, True, True]
    assert await link.send("HGET", "{budget}:meta", "answer_bytes") == str(2 * 52)


async def test_an_old_answer_leaves_without_a_call(store: Store, link: RedisLink) -> None:
    """What the keeper does: afterwards the key is free."""
    await pay(store, "a")
    await store.evict_answers()
    assert await is_kept(store, "a")
    ageless = Store(link, shelf=Shelf(most_age_ms=0))
    await ageless.evict_answers()
    assert not await is_kept(store, "a")
    assert await link.send("HGET", "{budget}:meta", "answer_bytes") == "0"


async def test_a_lost_answer_of_the_store_frees_the_key(store: Store) -> None:
    """Giving back a hold whose reservation was not acknowledged leaves its key to the next."""
    lost, waiting = keyed("a"), keyed("a")
    await store.reserve_and_dispatch(lost)
    assert await store.reserve(waiting) == InFlight(lost.id)
    await store.release(lost.id)
    assert isinstance(await store.reserve(waiting), Allowed)


async def test_whoever_lost_a_key_does_not_take_it_back(store: Store) -> None:
    """A call that ends after its hold expired neither stores nor frees what is another's."""
    late, owner = keyed("a", hold_ms=0), keyed("a")
    assert late.claim is not None
    await store.reserve_and_dispatch(late)
    await store.expire()
    assert isinstance(await store.reserve_and_dispatch(owner), Allowed)
    await store.keep_and_settle(late.id, NanoUsd(1), late.claim, answer("late"))
    assert await store.reserve(keyed("a")) == InFlight(owner.id)
    await store.keep_and_settle(owner.id, NanoUsd(1), late.claim, answer("owner"))
    assert await store.reserve(keyed("a")) == Replay(owner.id, answer("owner"))


async def test_a_late_answer_to_a_free_key_is_kept(store: Store) -> None:
    """It was paid for, and nobody else asked meanwhile."""
    late = keyed("a", hold_ms=0)
    assert late.claim is not None
    await store.reserve_and_dispatch(late)
    await store.expire()
    await store.keep_and_settle(late.id, NanoUsd(1), late.claim, answer("late"))
    assert await store.reserve(keyed("a")) == Replay(late.id, answer("late"))


async def test_a_full_store_settles_and_keeps_nothing(tmp_path: Path) -> None:
    """The one way to be charged without a replay: there is no room for the answer."""
    with redis_server(tmp_path) as (_, port):
        link = RedisLink(f"redis://127.0.0.1:{port}/0")
        link.start()
        store = Store(link)
        await store.load()
        await store.open()
        call = keyed("a")
        assert call.claim is not None
        await store.reserve_and_dispatch(call)
        await link.send("CONFIG", "SET", "maxmemory", 1)
        assert await store.keep_and_settle(call.id, NanoUsd(1), call.claim, answer())
        await link.send("CONFIG", "SET", "maxmemory", 0)
        assert isinstance(await store.reserve(keyed("a")), Allowed)
        await link.close()
