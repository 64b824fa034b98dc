"""The laws of a reservation's states, in any order of events, against a model."""

import asyncio
import os
from dataclasses import dataclass, field

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

from budget.reservations import Denied, HoldState, Reservation
from budget.scopes import GLOBAL, Scope, ScopeKind
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import HOUR_MS, LIMIT, reservation

INSTANCE_LIMIT = 600


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
    open_calls = Bundle("open_calls")
    closed_calls = Bundle("closed_calls")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.link = RedisLink(self.url)
        self.runner.get_loop().run_until_complete(self._start())

    async def _start(self) -> None:
        self.link.start()
        await self.link.send("FLUSHALL")
        self.store = Store(self.link)
        await self.store.load()
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
        is_marked = None is not self.runner.run(self.store.dispatch(call.reservation.id))
        assert is_marked == (call.state is HoldState.RESERVED)
        if is_marked:
            call.state = HoldState.DISPATCHED

    @rule(target=closed_calls, call=consumes(open_calls), cost=st.integers(0, 400))
    def settle(self, call: Call, cost: int) -> object:
        """A settlement within the reservation is recorded, and corrects an expiry as spent.

        What expired undispatched was never sent, so nobody settles it.
        """
        if call.state is HoldState.EXPIRED_RELEASED:
            return multiple()
        cost = min(cost, call.reservation.amount_nano_usd)
        assert self.runner.run(self.store.settle(call.reservation.id, NanoUsd(cost)))
        call.state, call.spent = HoldState.SETTLED, cost
        return call

    @rule(target=closed_calls, call=consumes(open_calls))
    def release(self, call: Call) -> Call:
        """A release gives back whatever the hold or its expiry took."""
        is_released = None is not self.runner.run(self.store.release(call.reservation.id))
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
        scopes: dict[str | None, Scope] = {
            None: GLOBAL,
            **{name: Scope(ScopeKind.INSTANCE, name) for name in ("a", "b")},
        }
        page = await reading.ledger(0, 1000)
        states = await asyncio.gather(*(reading.scope(scope) for scope in scopes.values()))
        for instance, state in zip(scopes, states, strict=True):
            found = state.totals
            own = [e for e in page.entries if instance in {None, e.instance}]
            assert found.spent == self.model.spent(instance) == sum(e.spent_delta for e in own)
            assert found.reserved == self.model.held(instance) == sum(e.reserved_delta for e in own)
            limit = LIMIT if instance is None else INSTANCE_LIMIT
            assert found.spent + found.reserved <= limit
        assert [e.seq for e in page.entries] == list(range(1, len(page.entries) + 1))


def test_no_order_of_calls_passes_a_limit_or_loses_money(redis_port: int) -> None:
    """Spent and reserved never pass a limit in any scope, and the ledger sums to the counters."""
    machine = type("Run", (Budget,), {"url": f"redis://127.0.0.1:{redis_port}/0"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("BUDGET_EXAMPLES", "20")),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
