"""Laws of the functions in Redis, watched through the store."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_hex

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from budget.errors import StoreArgumentError, StoreLostError
from budget.link import RedisLink
from budget.reading import Reading
from budget.reservations import Allowed, Denied, HoldState, Obstacle, Reservation
from budget.scopes import GLOBAL, MAX_LIMIT_NANO_USD, Scope, ScopeKind, ScopeLimit
from budget.store import Store
from metering.money import NanoUsd

HOUR_MS = 3_600_000
LIMIT = 1_000
INSTANCE_LIMIT = 600


def reservation(  # each has a name and a unit
    amount: int,
    *,
    reservation_id: str | None = None,
    instance: str = "i-1",
    limit: int | None = LIMIT,
    instance_limit: int | None = None,
    hold_ms: int = HOUR_MS,
) -> Reservation:
    """Build a reservation in the two scopes of a call."""
    return Reservation(
        reservation_id or token_hex(8),
        NanoUsd(amount),
        hold_ms,
        instance,
        (
            ScopeLimit(GLOBAL, None if limit is None else NanoUsd(limit)),
            ScopeLimit(
                Scope(ScopeKind.INSTANCE, instance),
                None if instance_limit is None else NanoUsd(instance_limit),
            ),
        ),
    )


async def totals(link: RedisLink) -> tuple[int, int]:
    """Return what is spent and what is held in all."""
    state = await Reading(link).total()
    return state.totals.spent, state.totals.reserved


@dataclass(slots=True)
class Call:
    """A reservation as the model knows it."""

    reservation: Reservation
    state: HoldState = HoldState.RESERVED
    spent: int = 0

    @property
    def held(self) -> int:
        """What it holds."""
        is_open = self.state in {HoldState.RESERVED, HoldState.DISPATCHED}
        return self.reservation.amount_nano_usd if is_open else 0


@dataclass(slots=True)
class Model:
    """What the counters must be."""

    calls: list[Call] = field(default_factory=list)

    def spent(self, instance: str | None = None) -> int:
        """Return what is spent, in all or by one instance."""
        return sum(c.spent for c in self.calls if instance in {None, c.reservation.instance})

    def held(self, instance: str | None = None) -> int:
        """Return what is held, in all or by one instance."""
        return sum(c.held for c in self.calls if instance in {None, c.reservation.instance})


class Budget(RuleBasedStateMachine):
    """Any order of reserve, dispatch, settle, release and expire, against a model."""

    url = ""
    databases: Iterator[int] = iter(())
    open_calls = Bundle("open_calls")
    closed_calls = Bundle("closed_calls")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.link = RedisLink(f"{self.url}/{next(self.databases)}")
        self.runner.get_loop().run_until_complete(self._start())

    async def _start(self) -> None:
        self.link.start()
        self.store = Store(self.link)
        await self.store.open()

    def teardown(self) -> None:
        """Close the connection."""
        self.runner.run(self.link.close())
        self.runner.close()

    @rule(
        target=open_calls,
        amount=st.integers(0, 400),
        instance=st.sampled_from(["a", "b"]),
        is_short=st.booleans(),
    )
    def reserve(self, amount: int, instance: str, *, is_short: bool) -> object:
        """A reservation is let through exactly when it fits everywhere."""
        wanted = reservation(
            amount,
            instance=instance,
            instance_limit=INSTANCE_LIMIT,
            hold_ms=0 if is_short else HOUR_MS,
        )
        held = self.model.spent() + self.model.held() + amount <= LIMIT and (
            self.model.spent(instance) + self.model.held(instance) + amount <= INSTANCE_LIMIT
        )
        admission = self.runner.run(self.store.reserve(wanted))
        if isinstance(admission, Denied):
            closed = [b.closed_nano_usd for b in admission.barriers]
            assert not held or any(c is not None and c <= amount for c in closed)
            return multiple()
        assert held
        call = Call(wanted)
        self.model.calls.append(call)
        return call

    @rule(call=open_calls)
    def dispatch(self, call: Call) -> None:
        """Only a reserved hold is dispatched."""
        is_marked = self.runner.run(self.store.dispatch(call.reservation.id))
        assert is_marked == (call.state is HoldState.RESERVED)
        if is_marked:
            call.state = HoldState.DISPATCHED

    @rule(target=closed_calls, call=consumes(open_calls), cost=st.integers(0, 400))
    def settle(self, call: Call, cost: int) -> Call:
        """A settlement is recorded in full, up to the reservation here, and corrects an expiry."""
        cost = min(cost, call.reservation.amount_nano_usd)
        assert self.runner.run(self.store.settle(call.reservation.id, NanoUsd(cost)))
        call.state, call.spent = HoldState.SETTLED, cost
        return call

    @rule(target=closed_calls, call=consumes(open_calls))
    def release(self, call: Call) -> Call:
        """A release gives back whatever the hold or its expiry took."""
        is_released = self.runner.run(self.store.release(call.reservation.id))
        assert is_released == (call.state is not HoldState.EXPIRED_RELEASED)
        if is_released:
            call.state, call.spent = HoldState.RELEASED, 0
        return call

    @rule(call=closed_calls, cost=st.integers(0, 400))
    def settle_again(self, call: Call, cost: int) -> None:
        """What was settled or released stays as it is."""
        if call.state is not HoldState.EXPIRED_RELEASED:
            assert self.runner.run(self.store.settle(call.reservation.id, NanoUsd(cost))) is None

    @rule()
    def expire(self) -> None:
        """A hold past its time is spent when it was dispatched, released when not."""
        expired = {e.reservation_id: e.state for e in self.runner.run(self.store.expire())}
        for call in self.model.calls:
            if not call.held and call.reservation.id not in expired:
                continue
            if call.reservation.hold_ms and call.reservation.id not in expired:
                continue
            if call.state is HoldState.DISPATCHED:
                call.state, call.spent = HoldState.EXPIRED_SPENT, call.reservation.amount_nano_usd
            elif call.state is HoldState.RESERVED:
                call.state = HoldState.EXPIRED_RELEASED
            assert expired.get(call.reservation.id, call.state) is call.state

    @invariant()
    def counters_hold(self) -> None:
        """Counters equal the model and the ledger's sum, and never pass a limit."""
        self.runner.run(self._check())

    async def _check(self) -> None:
        reading = Reading(self.link)
        entries = (await reading.ledger(0, 1000)).entries
        for instance in (None, "a", "b"):
            scope = GLOBAL if instance is None else Scope(ScopeKind.INSTANCE, instance)
            found = (await reading.scope(scope)).totals
            own = [e for e in entries if instance in {None, e.instance}]
            assert found.spent == self.model.spent(instance) == sum(e.spent_delta for e in own)
            assert found.reserved == self.model.held(instance) == sum(e.reserved_delta for e in own)
            limit = LIMIT if instance is None else INSTANCE_LIMIT
            assert found.spent + found.reserved <= limit
        assert [e.seq for e in entries] == list(range(1, len(entries) + 1))


def test_no_order_of_calls_passes_a_limit_or_loses_money(
    durable_port: int, databases: Iterator[int]
) -> None:
    """Spent and reserved never pass a limit in any scope, and the ledger sums to the counters."""
    machine = type(
        "Run", (Budget,), {"url": f"redis://127.0.0.1:{durable_port}", "databases": databases}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("BUDGET_EXAMPLES", "25")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


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
