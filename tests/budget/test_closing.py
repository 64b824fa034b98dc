"""Laws of telling the store how calls ended."""

import asyncio
from dataclasses import replace

import pytest

from budget.answers import StoredAnswer
from budget.claims import Claim
from budget.closing import MAX_UNTOLD_ANSWER_BYTES, Closer, End, Kept
from budget.errors import StoreUnavailableError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.reservations import Allowed, Replay
from budget.scopes import MAX_LIMIT_NANO_USD
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import reservation


@pytest.fixture
def gate() -> Gate:
    """Give an open gate."""
    opened = Gate(Metrics())
    opened.open()
    return opened


@pytest.fixture
def closer(store: Store, gate: Gate) -> Closer:
    """Give a closer on an open store."""
    return Closer(store, gate, Metrics())


async def test_an_end_that_the_store_refuses_does_not_hold_up_the_others(
    store: Store, link: RedisLink, gate: Gate, closer: Closer
) -> None:
    """It is dropped, and its hold expires; what follows it is told."""
    held = reservation(10)
    await store.reserve(held)
    closer.close_later(End("bad", NanoUsd(-1)))
    closer.close_later(End(held.id, NanoUsd(7)))
    assert gate.reason is not None
    await closer.tell_untold()
    assert closer.untold == 0
    assert (await Reading(link).total()).totals.spent == 7


async def test_a_refused_end_is_no_error_of_its_call(gate: Gate, closer: Closer) -> None:
    """The answer that was paid for still reaches its caller, and the gateway stays open."""
    assert await closer.close(End("bad", NanoUsd(-1))) is None
    assert (gate.reason, closer.untold) == (None, 0)


async def test_a_cost_is_never_above_what_the_store_counts(
    store: Store, link: RedisLink, closer: Closer
) -> None:
    """The most that fits is charged, as an overshoot and as an estimate."""
    held = reservation(10)
    await store.reserve(held)
    too_much = NanoUsd(MAX_LIMIT_NANO_USD + 1)
    assert await closer.close(End.charged(held.id, too_much, is_estimated=False))
    entry = (await Reading(link).ledger(0, 10)).entries[-1]
    assert (entry.cost, entry.estimated) == (MAX_LIMIT_NANO_USD, True)
    assert entry.overshoot == MAX_LIMIT_NANO_USD - 10


async def test_what_the_store_could_not_hear_is_kept(store: Store, gate: Gate) -> None:
    """While the gate is closed an end waits for its opening."""
    closer = Closer(store, gate, Metrics())
    held = reservation(10)
    await store.reserve(held)
    gate.close(StoreUnavailableError("away"))
    assert await closer.close(End(held.id, NanoUsd(3))) is None
    assert closer.untold == 1
    await closer.tell_untold()
    assert closer.untold == 0


async def test_answers_wait_for_the_store_within_a_bound(
    store: Store, gate: Gate, closer: Closer
) -> None:
    """Beyond it an answer is dropped, its charge never."""
    calls = [replace(reservation(10), claim=Claim(str(n), "b")) for n in range(3)]
    size = MAX_UNTOLD_ANSWER_BYTES // 2
    for call in calls:
        await store.reserve_and_dispatch(call)
    gate.close(StoreUnavailableError("away"))
    for call in calls:
        assert call.claim is not None
        kept = Kept(call.claim, StoredAnswer(200, "", "x" * size))
        assert await closer.close(End(call.id, NanoUsd(3), kept=kept)) is None
    assert closer.untold == 3
    await closer.tell_untold()
    again = [await store.reserve(replace(call, id=f"{call.id}-2")) for call in calls]
    assert [type(admission) for admission in again] == [Replay, Replay, Allowed]


async def test_an_end_whose_caller_gives_up_is_told_and_closes_nothing(
    store: Store, link: RedisLink, gate: Gate, closer: Closer
) -> None:
    """The store is well: other calls pass meanwhile."""
    held = reservation(10)
    await store.reserve(held)
    closing = asyncio.create_task(closer.close(End(held.id, NanoUsd(7))))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert (closing.cancelled(), gate.reason) == (True, None)
    await closer.tell_untold()
    assert (gate.reason, closer.untold) == (None, 0)
    assert (await Reading(link).total()).totals.spent == 7
