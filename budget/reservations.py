"""What the store is asked and what it answers, as values: no I/O."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from budget.answers import StoredAnswer
from budget.claims import Claim, Execution
from budget.limits import InForce
from budget.scopes import Scope, ScopeKind, ScopeLimit
from metering.identity import UNKNOWN
from metering.money import NanoUsd

ZERO: Final = NanoUsd(0)


class HoldState(StrEnum):
    """Where a reservation is; only the first two hold money."""

    RESERVED = "RESERVED"
    DISPATCHED = "DISPATCHED"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"
    EXPIRED_SPENT = "EXPIRED_SPENT"
    EXPIRED_RELEASED = "EXPIRED_RELEASED"


class Obstacle(StrEnum):
    """What is in a call's way: spent money is for good, held money may come free."""

    SPENT = "spent"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call's worst case, to be held in every one of its scopes or in none.

    Attributes:
        id: Chosen by the gateway; used once.
        amount_nano_usd: The worst case.
        hold_ms: After so long without an end, the hold expires.
        instance: The caller's instance.
        scopes: Where the call is counted, the global scope first.
        in_force: Which limits and velocities of these scopes hold.
        app: The caller's application; empty when it is not known.
        tenant: Whose API key the call came with.
        model: What it asks for.
        claim: Its idempotency key, when a repeated one is answered from the store.
        execution: The execution it belongs to, when that is known.
    """

    id: str
    amount_nano_usd: NanoUsd
    hold_ms: int
    instance: str
    scopes: tuple[Scope, ...]
    in_force: InForce = field(default_factory=InForce)
    app: str = ""
    tenant: str = UNKNOWN
    model: str = UNKNOWN
    claim: Claim | None = None
    execution: Execution | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes an instance a zombie, and what becomes of it.

    Attributes:
        refuses_zombies: Whether one that is marked may not call.
        zombie_executions: At so many executions of one activity it is marked; None is never.
        stops_zombies: Whether it is stopped at its source too.
    """

    refuses_zombies: bool = True
    zombie_executions: int | None = None
    stops_zombies: bool = False


@dataclass(frozen=True, slots=True)
class ScopeTotals:
    """What a scope has spent and holds, in nano-dollars."""

    spent: NanoUsd
    reserved: NanoUsd


@dataclass(frozen=True, slots=True)
class ScopeBarrier:
    """A limited scope as a refused call met it.

    Attributes:
        limit: The scope and its limit.
        totals: What it had spent and held.
        closed_nano_usd: An amount refused for good under this limit; calls at least as large stay
            refused though a late settlement gave money back. None when there is none.
        resets_at_unix_ms: When the call would fit, as far as this limit goes: the next bucket of a
            calendar window; of a rolling one the earliest moment at which enough has left. None
            for a lifetime, for a call above the whole limit, and where the limit is not in the way.
    """

    limit: ScopeLimit
    totals: ScopeTotals
    closed_nano_usd: NanoUsd | None
    resets_at_unix_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A ledger entry that was written.

    Attributes:
        seq: Its number.
        at_unix_ms: Its time, by the store's clock.
    """

    seq: int
    at_unix_ms: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """The amount is held in every scope; or would be, in a simulation.

    Attributes:
        seq: The ledger entry; 0 in a simulation.
        at_unix_ms: Its time, by the store's clock.
        remaining_nano_usd: What the tightest limit has left, after it; None without a limit.
        trips: Kinds of the trips that the call caused, such as `threshold`.
    """

    seq: int
    at_unix_ms: int
    remaining_nano_usd: int | None = None
    trips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """The amount is held in no scope.

    Attributes:
        obstacle: What is in the way of the limit that decided.
        decisive: That limit's place in `barriers`.
        barriers: Every limit of the call, in the order asked.
        trips: As in `Allowed`.
    """

    obstacle: Obstacle
    decisive: int
    barriers: tuple[ScopeBarrier, ...]
    trips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """No call of a scope passes until it is resumed.

    Attributes:
        scope: Which one; the global one for all calls.
        state: `killed`, `zombie` or `velocity`.
        since_unix_ms: Since when.
        reason: Why.
        actor: Who decided.
        trips: As in `Allowed`: `zombie` or `velocity` when this very call caused it.
    """

    scope: Scope
    state: str
    since_unix_ms: int
    reason: str
    actor: str
    trips: tuple[str, ...] = ()

    @property
    def is_global(self) -> bool:
        """Whether all calls are meant."""
        return self.scope.kind is ScopeKind.GLOBAL


@dataclass(frozen=True, slots=True)
class Replay:
    """The same call was answered before.

    Attributes:
        reservation_id: Of the call that was paid for.
        answer: What it was answered.
    """

    reservation_id: str
    answer: StoredAnswer


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same call is under way, here or in another gateway."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The idempotency key belongs to another request."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Nothing was decided: the rules are of another version than the reservation's."""

    version: int


Decided = Allowed | Denied | Stopped | Replay | InFlight | Mismatch
Admission = Decided | Stale


@dataclass(frozen=True, slots=True)
class Settled:
    """The cost is spent in every scope.

    Attributes:
        seq: The ledger entry.
        at_unix_ms: Its time, by the store's clock.
        overshoot_nano_usd: How far the cost was above the reservation.
        remaining_nano_usd: What the limit has left that was the tightest when the call was
            admitted; None without one.
    """

    seq: int
    at_unix_ms: int
    overshoot_nano_usd: NanoUsd
    remaining_nano_usd: int | None


@dataclass(frozen=True, slots=True)
class Expired:
    """A hold that nobody closed in time.

    Attributes:
        reservation_id: Which one.
        state: What became of it.
        seq: The ledger entry.
        at_unix_ms: Its time, by the store's clock.
    """

    reservation_id: str
    state: HoldState
    seq: int
    at_unix_ms: int


@dataclass(frozen=True, slots=True)
class ScopeState:
    """The counters of one scope; amounts in nano-dollars.

    Its state is `live`, `killed` or `velocity`; all calls and instances are killed elsewhere.
    """

    id: str
    totals: ScopeTotals
    calls: int = 0
    refusals: int = 0
    cut_off_unix_ms: int | None = None
    state: str = "live"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of money, or one dispatch.

    Attributes:
        seq: Gapless over the store's life.
        at_unix_ms: By the store's clock.
        event: `reserve`, `dispatch`, `settle`, `release` or `expire`.
        reservation_id: The hold.
        instance: Whose it is.
        amount: What the hold reserved.
        reserved_delta: What it changed in `reserved` of every scope of the hold.
        spent_delta: What it changed in `spent` of every scope of the hold.
        cost: What a settlement was about; None elsewhere.
        overshoot: How far that was above the reservation.
        estimated: Whether that is an upper bound.
        state: What an expiry or a reservation made of the hold; None of a reservation of an older
            gateway, which was not dispatched, and elsewhere.
        expires_unix_ms, app, model, tenant, scopes: Of a reservation, and of no other entry: when
            its hold expires, whose it is, and the keys of the scopes that hold it.
    """

    seq: int
    at_unix_ms: int
    event: str
    reservation_id: str
    instance: str
    amount: NanoUsd
    reserved_delta: NanoUsd
    spent_delta: NanoUsd
    cost: NanoUsd | None = None
    overshoot: NanoUsd = ZERO
    estimated: bool = False
    state: HoldState | None = None
    expires_unix_ms: int | None = None
    app: str = ""
    model: str = ""
    tenant: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some ledger entries, and what the bounded ledger no longer holds of those asked for."""

    entries: tuple[LedgerEntry, ...]
    next_seq: int
    dropped: int
