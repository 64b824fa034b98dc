"""Laws of asking what would become of a call."""

from dataclasses import replace

import pytest

from budget.answers import StoredAnswer
from budget.claims import Claim, Execution
from budget.errors import StoreLostError
from budget.limits import ScopeVelocity
from budget.reservations import Admission, Allowed, Denied, Replay, Reservation, Rules, Stopped
from budget.scopes import GLOBAL, ScopeKind, ScopeLimit, Window
from budget.store.link import RedisLink
from budget.store.store import Store
from budget.store.switches import Order, Switches
from metering.money import NanoUsd
from tests.budget.builders import reservation


async def everything(link: RedisLink) -> dict[str, bytes]:
    """Return all keys and what they hold."""
    keys = sorted(await link.send("KEYS", "*"))
    return {key: await link.send("OBJECT", "ENCODING", key) for key in keys} | {
        f"{key} holds": await contents(link, key) for key in keys
    }


async def contents(link: RedisLink, key: str) -> bytes:
    """Return one key's value, whatever it is."""
    kind = await link.send("TYPE", key)
    read = {
        "hash": ("HGETALL", key),
        "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
        "stream": ("XRANGE", key, "-", "+"),
    }[kind]
    return repr(await link.send(*read)).encode()


def same(simulated: Admission, decided: Admission) -> bool:
    """Whether two answers are one, but for time, ledger entry and what was tripped."""
    if isinstance(simulated, Allowed):
        return replace(simulated, seq=0, at_unix_ms=0, trips=()) == (
            isinstance(decided, Allowed) and replace(decided, seq=0, at_unix_ms=0, trips=())
        )
    if isinstance(simulated, Stopped):
        assert isinstance(decided, Stopped)
        return replace(simulated, since_unix_ms=0, trips=()) == replace(
            decided, since_unix_ms=0, trips=()
        )
    if isinstance(simulated, Denied):
        assert isinstance(decided, Denied)
        closed = {barrier.closed_nano_usd for barrier in simulated.barriers}
        assert closed == {None}
        barriers = tuple(replace(b, closed_nano_usd=None) for b in decided.barriers)
        return simulated == replace(decided, barriers=barriers, trips=())
    return simulated == decided


def case(name: str) -> Reservation:
    """Build a call that is decided as its name says, after `prepare`."""
    limits = (ScopeLimit(GLOBAL, NanoUsd(100), Window("rolling:5m")),)
    plain = reservation(10, limit=None, limits=limits, instance=name)
    execution = Execution("activity", "1", "think")
    return {
        "allowed": plain,
        "dear": replace(plain, amount_nano_usd=NanoUsd(71)),
        "held": reservation(10, limit=10, instance="held"),
        "fast": replace(
            plain,
            in_force=replace(
                plain.in_force, velocities=(ScopeVelocity(GLOBAL, "10m", NanoUsd(29)),)
            ),
        ),
        "killed": plain,
        "zombie": replace(plain, execution=execution),
        "replay": replace(plain, claim=Claim("k", "b")),
        "mismatch": replace(plain, claim=Claim("k", "c")),
        "in flight": replace(plain, claim=Claim("open", "b")),
    }[name]


CASES = ("allowed", "dear", "held", "fast", "killed", "zombie", "replay", "mismatch", "in flight")


async def prepare(store: Store, link: RedisLink) -> None:
    """Spend 30 in one call with an answer, execute an activity once, kill an instance."""
    paid = replace(reservation(30, limit=None), claim=Claim("k", "b"))
    await store.reserve(paid)
    assert paid.claim is not None
    await store.keep_and_settle(paid.id, NanoUsd(30), paid.claim, StoredAnswer(200, "[]", "ok"))
    executed = reservation(0, limit=None, instance="zombie")
    await store.reserve(replace(executed, execution=Execution("activity", "1", "think")))
    await store.reserve(replace(reservation(0, limit=None), claim=Claim("open", "b")))
    await Switches(link).kill(Order(ScopeKind.INSTANCE, "killed", "why", "ann"))


@pytest.mark.parametrize("name", CASES)
async def test_a_simulation_is_what_would_happen_and_leaves_no_trace(
    link: RedisLink, name: str
) -> None:
    """Whatever the answer is."""
    store = Store(link, rules=Rules(zombie_executions=2))
    await store.load()
    await store.open()
    await prepare(store, link)
    before = await everything(link)
    simulated = await store.simulate(case(name))
    assert await everything(link) == before
    decided = await store.reserve(case(name))
    assert same(simulated, decided), (simulated, decided)
    expected = {"allowed": Allowed, "replay": Replay, "killed": Stopped, "zombie": Stopped}
    assert isinstance(decided, expected.get(name, object))


async def test_a_lost_store_answers_no_question(store: Store, link: RedisLink) -> None:
    """It is not known what would happen."""
    await link.send("FLUSHDB")
    with pytest.raises(StoreLostError):
        await store.simulate(reservation(1))
