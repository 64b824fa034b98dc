"""Any order of calls, edits, stops, restarts and turns of windows, against the ledger's sums."""

import asyncio
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from budget.caller import Caller
from budget.limits import LimitRule, Match, Rulebook, VelocityRule
from budget.reservations import Admission, Allowed, Denied, HoldState, Reservation, Stale, Stopped
from budget.scopes import Limits, Scope, ScopeKind, Window, scopes_of
from budget.store.library import HOLD_PREFIX, HOLDS
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from budget.store.switches import Order, Switches
from budget.store.totals import read_totals
from metering.identity import UNKNOWN, CallerIdentity
from metering.money import NanoUsd
from tests.budget.builders import reservation
from tests.budget.store.clock import set_clock, unix_ms
from tests.budget.store.oracle import Oracle

START = "2027-01-30 22:57:03"
"""A Saturday, before the end of its hour, its day and its month."""

SECOND_MS = 1_000
STEPS_S = (10, 10, 50, 60, 300, 3_600, 86_400, 31 * 86_400)
HOLDS_S = (0, 45, 7_205, 90 * 86_400 + 5)
SLACK_MS = 4_000
"""How long a step may take: holds end between the moments that steps begin at."""

GATEWAYS = 2
MODELS = ("gpt-4", "other")
TENANTS = ("acme", "beta")
WORKFLOWS = ("agent", "pipeline")
IDS = {
    ScopeKind.GLOBAL: ("",),
    ScopeKind.TENANT: TENANTS,
    ScopeKind.WORKFLOW: WORKFLOWS,
    ScopeKind.ROOT: ("r", "i-1"),
    ScopeKind.INSTANCE: ("i-1", "i-2"),
    ScopeKind.ACTIVITY: ("unknown",),
    ScopeKind.MODEL: MODELS,
}
WINDOWS = tuple(
    Window(name)
    for name in ("lifetime", "hour", "day", "week", "month", "rolling:1m", "rolling:60m")
)
AMOUNTS = st.sampled_from((0, 1, 19, 20, 40, 59, 60))
LIMITS = st.sampled_from((None, 0, 40, 59, 60, 100, 120))
"""Few and related, so that calls meet limits to the nano-dollar."""

kinds = st.sampled_from(list(ScopeKind))
gateways = st.integers(0, GATEWAYS - 1)
callers = st.builds(
    Caller,
    st.builds(
        CallerIdentity,
        workflow=st.sampled_from(WORKFLOWS),
        root=st.sampled_from(("r", UNKNOWN)),
        instance=st.sampled_from(IDS[ScopeKind.INSTANCE]),
        task_id=st.sampled_from(("1", UNKNOWN)),
        execution_id=st.just("e"),
    ),
    st.sampled_from(TENANTS),
)


@st.composite
def matches(draw: st.DrawFn) -> tuple[ScopeKind, Match, str]:
    """Draw which scopes a rule is about."""
    kind, match = draw(kinds), draw(st.sampled_from(list(Match)))
    values = {Match.ID: IDS[kind], Match.WORKFLOW: WORKFLOWS, Match.EACH: ("",)}
    return kind, match, draw(st.sampled_from(values[match]))


class Budgets(RuleBasedStateMachine):
    """Two gateways on one store."""

    url = ""
    open_calls = Bundle("open_calls")
    closed_calls = Bundle("closed_calls")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.oracle = Oracle()
        self.now = unix_ms(START)
        self.scopes: set[Scope] = {Scope(ScopeKind.GLOBAL)}
        self.expires: dict[str, int] = {}
        self.known: list[Rulebook] = []
        self.link = RedisLink(self.url, timeout_s=10)
        self.book, self.switches = LimitBook(self.link), Switches(self.link)
        self.current = Rulebook()
        self.runner.get_loop().run_until_complete(self._start())

    async def _start(self) -> None:
        self.link.start()
        await self.link.send("FLUSHALL")
        self.stores = [await self._gateway() for _ in range(GATEWAYS)]

    async def _gateway(self) -> Store:
        store = Store(self.link, accept_test_clock=True)
        await store.load()
        await store.open()
        return store

    def teardown(self) -> None:
        """Close the connection."""
        self.runner.run(self.link.close())
        self.runner.close()

    def run(self, asked: Any) -> Any:
        """Do something at the model's moment."""
        return self.runner.run(self._at_now(asked))

    async def _at_now(self, asked: Any) -> Any:
        await set_clock(self.link, self.now)
        found = await asked
        for entry in (await Reading(self.link).ledger(self.oracle.books.seq, 1000)).entries:
            self.oracle.books.enter(entry)
        return found

    @initialize()
    def know_nothing(self) -> None:
        """A gateway begins without the rules."""
        self.known = [Rulebook() for _ in range(GATEWAYS)]

    @rule(
        target=open_calls,
        gateway=gateways,
        caller=callers,
        model=st.sampled_from(MODELS),
        amount=AMOUNTS,
        hold_s=st.sampled_from(HOLDS_S),
        is_dispatched=st.booleans(),
    )
    def reserve(
        self,
        gateway: int,
        caller: Caller,
        model: str,
        amount: int,
        hold_s: int,
        *,
        is_dispatched: bool,
    ) -> object:
        """A call is let through exactly when it must be, under rules that every gateway knows."""
        made = self._reserve(gateway, caller, model, amount, hold_s, is_dispatched=is_dispatched)
        if made is None:
            return multiple()
        state = HoldState.DISPATCHED if is_dispatched else HoldState.RESERVED
        assert self.oracle.books.calls[made.id].state is state
        return made

    @rule(
        target=closed_calls,
        gateway=gateways,
        caller=callers,
        amount=AMOUNTS,
        cost=st.integers(0, 80),
    )
    def make(self, gateway: int, caller: Caller, amount: int, cost: int) -> object:
        """A call that is simulated, and then made at once."""
        made = self._reserve(gateway, caller, MODELS[0], amount, HOLDS_S[1], is_simulated=True)
        if made is None:
            return multiple()
        self.run(self.stores[gateway].dispatch(made.id))
        return self.settle(made, cost)

    def _reserve(
        self,
        gateway: int,
        caller: Caller,
        model: str,
        amount: int,
        hold_s: int,
        *,
        is_simulated: bool = False,
        is_dispatched: bool = False,
    ) -> Reservation | None:
        store, scopes = self.stores[gateway], scopes_of(caller, model)
        wanted = self._wanted(gateway, caller, scopes, amount, hold_s)
        reserve = store.reserve_and_dispatch if is_dispatched else store.reserve
        ask = store.simulate if is_simulated else reserve
        admission = self.run(ask(wanted))
        if self.known[gateway].version != self.current.version:
            assert admission == Stale(self.current.version)
            self.known[gateway] = self.runner.run(self.book.read())
            assert self.known[gateway] == self.current
            wanted = self._wanted(gateway, caller, scopes, amount, hold_s)
            admission = self.run(ask(wanted))
        if is_simulated:
            simulated, admission = admission, self.run(reserve(wanted))
            assert type(simulated) is type(admission)
        self._judge(wanted, admission)
        if not isinstance(admission, Allowed):
            return None
        self.scopes |= set(scopes)
        self.expires[wanted.id] = admission.at_unix_ms + wanted.hold_ms
        return wanted

    def _wanted(
        self, gateway: int, caller: Caller, scopes: tuple[Scope, ...], amount: int, hold_s: int
    ) -> Reservation:
        return Reservation(
            id=reservation(0).id,
            amount_nano_usd=NanoUsd(amount),
            hold_ms=hold_s * SECOND_MS,
            instance=caller.identity.instance,
            scopes=scopes,
            in_force=self.known[gateway].in_force(scopes, caller, Limits("cap")),
            tenant=caller.tenant,
        )

    def _judge(self, wanted: Reservation, admission: Admission) -> None:
        """Compare a decision with the oracle's, made from what was known before it."""
        books = self.oracle.books
        fresh = books.calls.pop(wanted.id, None)
        limits = wanted.in_force.limits
        met = [self.oracle.met(each, wanted.amount_nano_usd, self.now) for each in limits]
        expected = self.oracle.decide(wanted, self.now)
        if fresh is not None:
            books.calls[wanted.id] = fresh
        match admission:
            case Allowed():
                assert expected == "allowed"
                left = [
                    (each.limit_nano_usd or 0)
                    - sum(books.totals(each.scope, each.window, self.now))
                    for each in limits
                ]
                assert all(money >= 0 for money in left)
                assert admission.remaining_nano_usd == min(left, default=None)
            case Denied():
                assert expected == admission.obstacle
                found = [(b.totals.spent, b.totals.reserved) for b in admission.barriers]
                assert found == [(each.spent, each.reserved) for each in met]
                assert met[admission.decisive].obstacle == admission.obstacle
            case Stopped():
                assert expected == "stopped"
                assert self.oracle.stopped[admission.scope] == admission.state
            case _:
                raise AssertionError(admission)

    @rule(call=open_calls, gateway=gateways)
    def dispatch(self, call: Reservation, gateway: int) -> None:
        """Only a reserved hold is dispatched."""
        state = self.oracle.books.calls[call.id].state
        recorded = self.run(self.stores[gateway].dispatch(call.id))
        assert (recorded is not None) == (state is HoldState.RESERVED)

    @rule(target=closed_calls, call=consumes(open_calls), cost=st.integers(0, 80))
    def settle(self, call: Reservation, cost: int) -> Reservation:
        """A cost is recorded in full: below, at or above what was held, late or not."""
        kept = self.oracle.books.calls[call.id]
        settled = self.run(self.stores[0].settle(call.id, NanoUsd(cost)))
        assert settled is not None
        assert (settled.seq, kept.spent) == (self.oracle.books.seq, cost)
        assert settled.overshoot_nano_usd == kept.overshoot
        return call

    @rule(target=closed_calls, call=consumes(open_calls))
    def release(self, call: Reservation) -> Reservation:
        """A release gives back whatever the hold or its expiry took."""
        kept = self.oracle.books.calls[call.id]
        was_released = kept.state is HoldState.EXPIRED_RELEASED
        recorded = self.run(self.stores[1].release(call.id))
        assert (recorded is None) == was_released
        assert (kept.spent, kept.reserved) == (0, 0)
        return call

    @rule(call=closed_calls, cost=AMOUNTS)
    def end_again(self, call: Reservation, cost: int) -> None:
        """What was settled or released stays as it is."""
        if self.oracle.books.calls[call.id].state is not HoldState.EXPIRED_RELEASED:
            assert self.run(self.stores[0].settle(call.id, NanoUsd(cost))) is None
            assert self.run(self.stores[0].release(call.id)) is None

    @rule(call=open_calls, hold_s=st.sampled_from(HOLDS_S[1:]))
    def extend(self, call: Reservation, hold_s: int) -> None:
        """A hold is made to live longer, never shorter."""
        is_open = self.oracle.books.calls[call.id].state in _OPEN
        assert self.run(self.stores[0].extend(call.id, hold_s * SECOND_MS)) == is_open
        later = self.now + hold_s * SECOND_MS
        self.expires[call.id] = max(self.expires[call.id], later)

    @rule(gateway=gateways)
    def expire(self, gateway: int) -> None:
        """A hold past its time is spent when it was dispatched, released when not."""
        due = {
            name: kept.state
            for name, kept in self.oracle.books.calls.items()
            if kept.state in _OPEN and self.expires[name] <= self.now + SLACK_MS
        }
        expired = self.run(self.stores[gateway].expire())
        expected = {
            HoldState.DISPATCHED: HoldState.EXPIRED_SPENT,
            HoldState.RESERVED: HoldState.EXPIRED_RELEASED,
        }
        assert {each.reservation_id: each.state for each in expired} == {
            name: expected[state] for name, state in due.items()
        }

    @rule(about=matches(), window=st.sampled_from(WINDOWS), most=LIMITS)
    def edit_limit(
        self, about: tuple[ScopeKind, Match, str], window: Window, most: int | None
    ) -> None:
        """An edit changes no counter, and is in force with the next call."""
        kind, match, value = about
        if kind is ScopeKind.GLOBAL and match is Match.ID:
            value = ""
        if most is None:
            self.run(self.book.remove(kind, window, match, value, "ann"))
        else:
            self.run(self.book.put(LimitRule(kind, window, match, value, NanoUsd(most)), "ann"))
        self.current = self.runner.run(self.book.read())

    @rule(
        about=matches(),
        most=st.sampled_from((0, 19, 20, 59, 60, 100)),
        over=st.sampled_from(("60s", "10m")),
    )
    def edit_velocity(self, about: tuple[ScopeKind, Match, str], most: int, over: Any) -> None:
        """So does one of a velocity; 0 stands for none."""
        kind, match, value = about
        if most == 0:
            self.run(self.book.remove_velocity(kind, match, value, over, "ann"))
        else:
            self.run(
                self.book.put_velocity(VelocityRule(kind, match, value, NanoUsd(most), over), "ann")
            )
        self.current = self.runner.run(self.book.read())

    @rule(kind=kinds, data=st.data(), is_kill=st.booleans())
    def switch(self, kind: ScopeKind, data: st.DataObject, *, is_kill: bool) -> None:
        """A kill and a resume of any scope."""
        scope = Scope(kind, data.draw(st.sampled_from(IDS[kind])))
        order = Order(kind, scope.id, "why", "ann")
        state = self.oracle.stopped.get(scope)
        if is_kill:
            assert self.run(self.switches.kill(order)) == (state != "killed")
            self.oracle.stopped[scope] = "killed"
            return
        assert self.run(self.switches.resume(order)) == (state is not None)
        if self.oracle.stopped.pop(scope, None) is not None:
            self.oracle.resumed[scope] = self.oracle.books.seq

    @rule(gateway=gateways)
    def restart(self, gateway: int) -> None:
        """A new process knows neither the rules nor how far the ledger is."""
        self.stores[gateway] = self.runner.run(self._gateway())
        self.known[gateway] = Rulebook()

    @rule(step_s=st.sampled_from(STEPS_S))
    def wait(self, step_s: int) -> None:
        """Time passes, and windows turn."""
        self.now += step_s * SECOND_MS

    @invariant()
    def counters_are_the_ledger_s_sums(self) -> None:
        """In every scope and every window that is live, by the model's clock."""
        scopes = sorted(self.scopes, key=str)
        found = self.run(read_totals(self.link, scopes, WINDOWS))
        for each in found:
            expected = self.oracle.books.totals(each.scope, each.window, self.now)
            assert (each.totals.spent, each.totals.reserved) == expected, each

    @invariant()
    def money_is_held_by_holds_alone(self) -> None:
        """No hold without money, and no money without a hold."""
        self.runner.run(self._check_holds())

    async def _check_holds(self) -> None:
        calls = self.oracle.books.calls
        names = set(await self.link.send("ZRANGE", HOLDS, 0, -1))
        assert names == {name for name, kept in calls.items() if kept.state in _OPEN}
        for name, kept in calls.items():
            assert (kept.reserved == kept.amount) == (kept.state in _OPEN or not kept.amount)
            state = await self.link.send("HGET", HOLD_PREFIX + name, "state")
            assert state == kept.state


_OPEN = {HoldState.RESERVED, HoldState.DISPATCHED}


def test_no_order_of_events_passes_a_limit_or_loses_money(redis_port: int) -> None:
    """Set BUDGET_EXAMPLES for more orders than the default's few."""
    machine = type("Run", (Budgets,), {"url": f"redis://127.0.0.1:{redis_port}/0"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("BUDGET_EXAMPLES", "50")),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
