"""The laws of keys, executions and kill switches, in any order of events, against a model."""

import asyncio
import os
from dataclasses import dataclass, field, replace

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

from budget.answers import StoredAnswer
from budget.claims import Claim, Execution
from budget.instances import InstanceState
from budget.reservations import (
    Allowed,
    Denied,
    InFlight,
    Mismatch,
    Replay,
    Reservation,
    Rules,
    Stopped,
)
from budget.scopes import ScopeKind
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from budget.store.switches import Order, Switches
from metering.money import NanoUsd
from tests.budget.builders import HOUR_MS, reservation

ZOMBIE_AT = 3
INSTANCES = ("a", "b")
COST = 10
LIMIT = 80


@dataclass(slots=True)
class Key:
    """An idempotency key as the model knows it."""

    body: str
    owner: str
    answer: StoredAnswer | None = None


@dataclass(slots=True)
class Model:
    """What must be known."""

    keys: dict[str, Key] = field(default_factory=dict)
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    resumed: set[str] = field(default_factory=set)
    executions: dict[tuple[str, str], int] = field(default_factory=dict)
    states: dict[str, InstanceState] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    spent: int = 0
    held: dict[str, Reservation] = field(default_factory=dict)
    is_killed: bool = False
    trips: list[tuple[str, str]] = field(default_factory=list)

    def outcome(self, wanted: Reservation) -> type:
        """Return what is to become of a reservation, its executions aside."""
        assert wanted.claim is not None
        if self.is_killed or wanted.instance in self.states:
            return Stopped
        key = self.keys.get(wanted.claim.key)
        if key is not None:
            if key.body != wanted.claim.body:
                return Mismatch
            return Replay if key.answer else InFlight
        fits = self.spent + COST * (len(self.held) + 1) <= LIMIT
        return Allowed if fits else Denied

    def count(self, wanted: Reservation) -> bool:
        """Count a call that was decided for good; return whether its instance is now a zombie."""
        assert wanted.execution is not None
        instance, activity, ordinal = (
            *(wanted.instance, wanted.execution.activity, wanted.execution.ordinal),
        )
        times = self.counts[instance, activity, ordinal] = (
            self.counts.get((instance, activity, ordinal), 0) + 1
        )
        is_zombie = times >= ZOMBIE_AT and instance not in self.states
        if is_zombie:
            self.states[instance] = InstanceState.ZOMBIE
            self.trips.append(("zombie", instance))
        told = self.executions.get((instance, activity), 0)
        if instance in self.called | self.states.keys():
            self.executions[instance, activity] = max(told, times)
        return is_zombie


class Calling(RuleBasedStateMachine):
    """Any order of calls, ends, kills and resumes, against a model."""

    url = ""
    open_calls = Bundle("open_calls")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.ids: dict[str, set[str]] = {name: set() for name in INSTANCES}
        self.link = RedisLink(self.url)
        self.switches = Switches(self.link)
        self.runner.get_loop().run_until_complete(self._start())

    async def _start(self) -> None:
        self.link.start()
        await self.link.send("FLUSHALL")
        self.store = Store(self.link, rules=Rules(zombie_executions=ZOMBIE_AT))
        await self.store.load()
        await self.store.open()

    def teardown(self) -> None:
        """Close the connection."""
        self.runner.run(self.link.close())
        self.runner.close()

    @rule(
        target=open_calls,
        instance=st.sampled_from(INSTANCES),
        task=st.sampled_from("12"),
        ordinal=st.sampled_from("12"),
        body=st.sampled_from(["x", "x", "x", "y"]),
        is_short=st.booleans(),
    )
    def call(self, instance: str, task: str, ordinal: str, body: str, *, is_short: bool) -> object:
        """Kill flags come first, then the key, then money; the n-th execution makes a zombie."""
        wanted = replace(
            reservation(COST, instance=instance, limit=LIMIT, hold_ms=0 if is_short else HOUR_MS),
            claim=Claim(f"{instance}:{task}:{ordinal}", body),
            execution=Execution(f"{instance}{task}", ordinal, f"task {task}"),
        )
        expected = self.model.outcome(wanted)
        admission = self.runner.run(self.store.reserve_and_dispatch(wanted))
        is_held_back = isinstance(admission, Denied) and admission.obstacle == "held"
        if expected is not InFlight and not is_held_back:
            if expected in {Allowed, Replay}:
                # A replay of an instance that was reset is of one that called before.
                self.model.called.add(instance)
            if self.model.count(wanted):
                expected = Stopped
        assert isinstance(admission, expected)
        if isinstance(admission, Replay):
            assert admission.answer == self.model.keys[f"{instance}:{task}:{ordinal}"].answer
        if not isinstance(admission, Allowed):
            return multiple()
        assert wanted.claim is not None
        self.ids[instance].add(wanted.id)
        self.model.held[wanted.id] = wanted
        self.model.keys[wanted.claim.key] = Key(body, wanted.id)
        return wanted

    @rule(call=consumes(open_calls), has_answer=st.booleans())
    def settle(self, call: Reservation, *, has_answer: bool) -> None:
        """An answer that is kept holds the key, a settlement without one frees it."""
        assert call.claim is not None
        answer = StoredAnswer(200, "[]", f"{call.id} ü") if has_answer else None
        if answer is None:
            self.runner.run(self.store.settle(call.id, NanoUsd(COST)))
        else:
            kept = (call.claim, answer)
            self.runner.run(self.store.keep_and_settle(call.id, NanoUsd(COST), *kept))
        if self.model.held.pop(call.id, None) is not None:
            self.model.spent += COST
        key = self.model.keys.get(call.claim.key)
        if answer is not None and key is None:
            self.model.keys[call.claim.key] = Key(call.claim.body, call.id, answer)
        elif key is not None and key.owner == call.id:
            key.answer = answer
            if answer is None:
                del self.model.keys[call.claim.key]

    @rule(call=consumes(open_calls))
    def release(self, call: Reservation) -> None:
        """A call that cost nothing frees its key, and is no execution."""
        assert call.claim is not None
        assert call.execution is not None
        self.runner.run(self.store.release(call.id))
        if self.model.held.pop(call.id, None) is None:
            self.model.spent -= COST
        key = self.model.keys.get(call.claim.key)
        if key is not None and key.owner == call.id:
            del self.model.keys[call.claim.key]
        if call.id not in self.model.resumed:
            counted = (call.instance, call.execution.activity, call.execution.ordinal)
            self.model.counts[counted] -= 1

    @rule()
    def expire(self) -> None:
        """A dispatched hold past its time is spent, and its key is free."""
        for expired in self.runner.run(self.store.expire()):
            call = self.model.held.pop(expired.reservation_id)
            assert call.claim is not None
            self.model.spent += COST
            del self.model.keys[call.claim.key]

    @rule(instance=st.sampled_from(INSTANCES), is_kill=st.booleans())
    def switch(self, instance: str, *, is_kill: bool) -> None:
        """A kill of what is killed and a resume of what is live change nothing."""
        order = Order(ScopeKind.INSTANCE, instance, "why", "who")
        state = self.model.states.get(instance)
        if is_kill:
            assert self.runner.run(self.switches.kill(order)) == (state != InstanceState.KILLED)
            self.model.states[instance] = InstanceState.KILLED
            changed = state != InstanceState.KILLED
        else:
            assert self.runner.run(self.switches.resume(order)) == (state is not None)
            self.model.states.pop(instance, None)
            changed = state is not None
            if changed:
                for counts in (self.model.counts, self.model.executions):
                    for key in [k for k in counts if k[0] == instance]:
                        del counts[key]  # type: ignore[arg-type]  # both begin with the instance
                self.model.called.add(instance)
                self.model.resumed |= self.ids[instance]
        if changed:
            self.model.trips.append(("kill" if is_kill else "resume", instance))

    @rule(is_kill=st.booleans())
    def switch_all(self, *, is_kill: bool) -> None:
        """A kill of all calls concerns all of them, and no instance's state."""
        order = Order(ScopeKind.GLOBAL, "", "why", "who")
        asked = self.switches.kill(order) if is_kill else self.switches.resume(order)
        assert self.runner.run(asked) == (self.model.is_killed != is_kill)
        if self.model.is_killed != is_kill:
            self.model.trips.append(("kill" if is_kill else "resume", ""))
        self.model.is_killed = is_kill

    @invariant()
    def documents_hold(self) -> None:
        """What is told of instances, money and trips is what the model knows."""
        self.runner.run(self._check())

    async def _check(self) -> None:
        reading = Reading(self.link)
        total = (await reading.total()).totals
        assert (total.spent, total.reserved) == (
            self.model.spent,
            COST * len(self.model.held),
        )
        for name in INSTANCES:
            found = await reading.instance(name)
            if found is None:
                assert name not in self.model.called | self.model.states.keys()
                continue
            assert found.state == self.model.states.get(name, InstanceState.LIVE)
            told = [n for (instance, _), n in self.model.executions.items() if instance == name]
            assert found.activities == len(told)
            assert found.executions == sum(told)
            assert found.most_executions == max(told, default=0)
        page = await reading.trips(0, 1000)
        tripped = [(t.kind, t.id) for t in page.trips if t.kind != "threshold"]
        assert tripped == self.model.trips
        assert [t.seq for t in page.trips] == list(range(1, len(page.trips) + 1))


def test_no_order_of_calls_pays_twice_or_misses_a_kill(redis_port: int) -> None:
    """A key is paid for once while its answer is kept; a stopped instance never calls."""
    machine = type("Run", (Calling,), {"url": f"redis://127.0.0.1:{redis_port}/0"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("BUDGET_EXAMPLES", "20")),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
