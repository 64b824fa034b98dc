"""What the store is asked and what it answers, as values: no I/O."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from budget.answers import StoredAnswer
from budget.claims import Claim, Execution
from budget.scopes import ScopeLimit
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
        instance: The caller's instance, for the ledger.
        limits: The call's scopes, each with its limit.
        app: The caller's application; empty when it is not known.
        claim: Its idempotency key, when a repeated one is answered from the store.
        execution: The execution it belongs to, when that is known.
    """

    id: str
    amount_nano_usd: NanoUsd
    hold_ms: int
    instance: str
    limits: tuple[ScopeLimit, ...]
    app: str = ""
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
    """

    limit: ScopeLimit
    totals: ScopeTotals
    closed_nano_usd: NanoUsd | None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The amount is held in every scope.

    Attributes:
        seq: The ledger entry.
        totals: The scopes, after it, in the order asked.
    """

    seq: int
    totals: tuple[ScopeTotals, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The amount is held in no scope.

    Attributes:
        obstacle: What is in the way in the scope that decided.
        decisive: That scope's place in `barriers`.
        barriers: Every scope of the call, in the order asked.
    """

    obstacle: Obstacle
    decisive: int
    barriers: tuple[ScopeBarrier, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody decided that no call passes: all, or those of the instance.

    Attributes:
        state: `killed` or `zombie`.
        is_global: Whether all calls are meant.
        since_unix_ms: Since when.
        reason: Why.
        actor: Who decided.
        is_new_zombie: Whether it is this call that made its instance a zombie.
    """

    state: str
    is_global: bool
    since_unix_ms: int
    reason: str
    actor: str
    is_new_zombie: bool


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


Admission = Allowed | Denied | Stopped | Replay | InFlight | Mismatch


@dataclass(frozen=True, slots=True)
class Settled:
    """The cost is spent in every scope.

    Attributes:
        overshoot_nano_usd: How far the cost was above the reservation.
        totals: The scopes, after it, in the order asked.
    """

    overshoot_nano_usd: NanoUsd
    totals: tuple[ScopeTotals, ...]


@dataclass(frozen=True, slots=True)
class Expired:
    """A hold that nobody closed in time."""

    reservation_id: str
    state: HoldState


@dataclass(frozen=True, slots=True)
class ScopeState:
    """The counters of one scope; amounts in nano-dollars."""

    id: str
    totals: ScopeTotals
    calls: int = 0
    refusals: int = 0
    cut_off_unix_ms: int | None = None


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
        state: What an expiry made of the hold; None elsewhere.
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


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Some ledger entries, and what the bounded ledger no longer holds of those asked for."""

    entries: tuple[LedgerEntry, ...]
    next_seq: int
    dropped: int
