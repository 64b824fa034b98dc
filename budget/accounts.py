"""Admits calls and closes their reservations: the one place where money is decided on.

Guarantees: a call that is let through holds its worst case in every scope; one that is refused
holds nothing, even when the store's answer was lost.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Final
from uuid import uuid4

from budget.answers import StoredAnswer
from budget.caller import Caller
from budget.calls import refusals
from budget.calls.asgi import Wait
from budget.calls.flights import Flights
from budget.calls.pricing import PricedCall
from budget.calls.refusals import Refusal
from budget.calls.renewals import EXPIRY_GRACE_MS, Renewals
from budget.claims import Claim, execution_of
from budget.closing import Closer, End, Kept
from budget.decision_log import DecisionLog
from budget.decisions import judge
from budget.errors import RefusedError, StoreError, StoreLostError, StoreUnavailableError
from budget.gate import Gate
from budget.limits import Rulebook
from budget.metrics import Metrics
from budget.reservations import (
    ZERO,
    Admission,
    Allowed,
    Decided,
    Denied,
    InFlight,
    Mismatch,
    Replay,
    Reservation,
    Settled,
    Stale,
    Stopped,
)
from budget.scopes import GLOBAL, Limits, scopes_of
from budget.store.limits import LimitBook
from budget.store.store import Store
from metering.identity import UNKNOWN, CallerIdentity
from metering.money import NanoUsd
from metering.usage import Usage

FIRST_RETRY_AFTER_MS: Final = 500
RETRY_AFTER_BOUNDS_MS: Final = (50, 5_000)
RETRY_AFTER_WEIGHT: Final = 8
MOST_RELOADS: Final = 5
"""How often the rules may change while one call asks."""
WAIT_MARGIN_S: Final = EXPIRY_GRACE_MS / 1000 + 1.5
"""How much longer than a hold lives its end is waited for: a keeper looks twice a second."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An admitted call.

    Attributes:
        reservation: What is held for it.
        call: What it is.
        remaining_nano_usd: What the tightest limit has left; None without one.
        started_s: When it was admitted, on the monotonic clock.
    """

    reservation: Reservation
    call: PricedCall
    remaining_nano_usd: int | None
    started_s: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an ended call cost.

    Attributes:
        cost_nano_usd: Charged.
        remaining_nano_usd: As in a ticket; None too while the store is away.
    """

    cost_nano_usd: NanoUsd
    remaining_nano_usd: int | None


class Accounts:
    """Reserves, settles, releases.

    Args:
        store: The budget.
        gate: Whether the store may be asked.
        limits: What the settings say; the rules in the store come before it.
        hold_ms: How long a hold lives.
        metrics: Where decisions are counted.
        book: The rules in the store.

    Attributes:
        flights: The calls with an idempotency key that are under way.
        renewals: The streams that are under way.
        decisions: What was decided.
        zombie_found: Set when an instance became a zombie.
    """

    def __init__(
        self,
        store: Store,
        gate: Gate,
        limits: Limits,
        hold_ms: int,
        metrics: Metrics,
        *,
        book: LimitBook,
    ) -> None:
        self.flights = Flights()
        self.renewals = Renewals(store, hold_ms)
        self.zombie_found = asyncio.Event()
        self._store = store
        self._gate = gate
        self._limits = limits
        self._book = book
        self._rules = Rulebook()
        self._reading_rules = asyncio.Lock()
        self._hold_ms = hold_ms
        self._wait_s = hold_ms / 1000 + WAIT_MARGIN_S
        self._metrics = metrics
        self._usual_call_ms = FIRST_RETRY_AFTER_MS
        self.closer = Closer(store, gate, metrics)
        self.decisions = DecisionLog(metrics)

    async def admit(
        self, call: PricedCall, caller: Caller, claim: Claim | None, wait: Wait
    ) -> Ticket | Replay:
        """Hold the call's worst case in all of its scopes, and mark it as dispatched.

        A call that was made before is answered from the store and holds nothing; while it is under
        way its end is waited for, with `wait`: a call whose caller left meanwhile is not made.

        Raises:
            RefusedError: 402, 422, 429 or 503; nothing is held.
            ClientGoneError: The caller left while it waited; nothing is held.
        """
        identity = caller.identity
        reservation = self.reservation(call, caller, claim)
        try:
            reservation, admission = await self._decide(reservation, caller, wait)
        except StoreError as error:
            refusal = refusals.store_unavailable()
            self.decisions.refused(identity, refusal, reservation)
            raise RefusedError(refusal) from error
        if isinstance(admission, Allowed):
            self.decisions.allowed(identity, reservation)
            self.flights.begin(reservation)
            if call.is_stream:
                self.renewals.begin(reservation.id)
            self._count(admission.trips)
            return Ticket(reservation, call, admission.remaining_nano_usd, time.monotonic())
        if isinstance(admission, Replay):
            self.decisions.replayed(identity, reservation, admission)
            return admission
        raise RefusedError(self._refuse(call, identity, reservation, admission))

    def reservation(
        self, call: PricedCall, caller: Caller, claim: Claim | None = None
    ) -> Reservation:
        """Build what the store is asked for a call, under the rules that this gateway knows."""
        identity, scopes = caller.identity, scopes_of(caller, call.model)
        return Reservation(
            id=uuid4().hex,
            amount_nano_usd=call.worst_case_nano_usd,
            hold_ms=self._hold_ms,
            instance=identity.instance,
            scopes=scopes,
            in_force=self._rules.in_force(scopes, caller, self._limits),
            app="" if identity.app == UNKNOWN else identity.app,
            tenant=caller.tenant,
            model=call.model,
            claim=claim,
            # The first try of a call that was then made smaller is counted already.
            execution=None if call.clamped_from is not None else execution_of(identity),
        )

    async def simulate(self, call: PricedCall, caller: Caller) -> tuple[Reservation, Decided]:
        """Return what would become of a call, with the reservation that it would need.

        Leaves no trace, in the store or elsewhere.

        Raises:
            StoreUnavailableError: The store can't be asked.
        """
        self._gate.check()
        return await self._under_rules(self.reservation(call, caller), caller, self._store.simulate)

    async def _decide(
        self, reservation: Reservation, caller: Caller, wait: Wait
    ) -> tuple[Reservation, Decided]:
        """Ask until the same call is no more under way, for longer than a hold lives."""
        ends_s = time.monotonic() + self._wait_s
        for times in count():
            started_s = time.monotonic()
            reservation, admission = await self._under_rules(reservation, caller, self._ask)
            self._metrics.decision_seconds.observe(time.monotonic() - started_s)
            left_s = ends_s - time.monotonic()
            if not isinstance(admission, InFlight) or left_s <= 0:
                break
            await wait(self.flights.wait(admission.reservation_id, left_s, times))
        return reservation, admission

    async def _under_rules(
        self,
        reservation: Reservation,
        caller: Caller,
        ask: Callable[[Reservation], Awaitable[Admission]],
    ) -> tuple[Reservation, Decided]:
        """Ask; when the rules were edited meanwhile, read them and ask again."""
        for _ in range(MOST_RELOADS):
            admission = await ask(reservation)
            if not isinstance(admission, Stale):
                return reservation, admission
            await self._read_rules(admission.version)
            in_force = self._rules.in_force(reservation.scopes, caller, self._limits)
            reservation = replace(reservation, in_force=in_force)
        raise StoreUnavailableError(f"the rules changed {MOST_RELOADS} times during one call")

    async def _read_rules(self, version: int) -> None:
        """Read the rules, unless another call has read that version meanwhile."""
        async with self._reading_rules:
            if self._rules.version != version:
                self._rules = await self._book.read()

    def note_refusal(self, identity: CallerIdentity, refusal: Refusal) -> None:
        """Record a call that is refused before the store is asked."""
        self.decisions.refused(identity, refusal)

    async def settle(
        self,
        ticket: Ticket,
        usage: Usage | None,
        answer: StoredAnswer | None = None,
        *,
        least_nano_usd: NanoUsd | None = None,
    ) -> Receipt:
        """Charge what a call used; without usage its worst case, flagged as estimated.

        An answer is stored for the next call with the same idempotency key. A worst case that was
        found to be too low is replaced with `least_nano_usd`.
        """
        self._learn_duration(ticket)
        reservation = ticket.reservation
        bound = max(reservation.amount_nano_usd, least_nano_usd or ZERO)
        cost = bound if usage is None else ticket.call.price.cost(usage)
        claim = reservation.claim
        kept = None if claim is None or answer is None else Kept(claim, answer)
        end = End.charged(reservation.id, cost, is_estimated=usage is None, kept=kept)
        settled = await self._close(reservation, end)
        remaining = None if settled is None else settled.remaining_nano_usd
        return Receipt(cost if end.cost is None else end.cost, remaining)

    async def release(self, ticket: Ticket) -> None:
        """Give back what was held for a call that cost nothing."""
        self._learn_duration(ticket)
        await self._close(ticket.reservation, End(ticket.reservation.id, None))

    async def _close(self, reservation: Reservation, end: End) -> Settled | None:
        try:
            return await self.closer.close(end)
        finally:
            self.flights.end(reservation)
            self.renewals.end(reservation.id)

    async def _ask(self, reservation: Reservation) -> Admission:
        """Reserve; when no answer comes, see to it that the hold is given back."""
        self._gate.check()
        try:
            return await self._store.reserve_and_dispatch(reservation)
        except StoreLostError as error:
            self._gate.close(error)
            raise
        except Exception as error:
            self._gate.close(error)
            self.closer.close_later(End(reservation.id, None))
            raise
        except BaseException:
            # The caller gave up: that says nothing about the store.
            self.closer.close_soon(End(reservation.id, None))
            raise

    def _refuse(
        self,
        call: PricedCall,
        identity: CallerIdentity,
        reservation: Reservation,
        admission: Denied | Stopped | InFlight | Mismatch,
    ) -> Refusal:
        scope = GLOBAL
        match admission:
            case Denied():
                return self._deny(call, identity, reservation, admission)
            case Stopped():
                self._count(admission.trips)
                refusal, scope = refusals.stopped(admission), admission.scope
            case InFlight():
                refusal = refusals.idempotency_in_flight(self._wait_s)
            case Mismatch():
                refusal = refusals.idempotency_mismatch()
        self.decisions.refused(identity, refusal, reservation, scope)
        return refusal

    def _deny(
        self, call: PricedCall, identity: CallerIdentity, reservation: Reservation, denied: Denied
    ) -> Refusal:
        verdict = judge(
            denied,
            reservation.amount_nano_usd,
            call.price,
            call.max_input_tokens,
            call.choices,
        )
        self._count(denied.trips)
        least, most = RETRY_AFTER_BOUNDS_MS
        refusal = refusals.over_limit(
            verdict, reservation.amount_nano_usd, max(least, min(most, self._usual_call_ms))
        )
        self.decisions.refused(identity, refusal, reservation, verdict.barrier.limit.scope)
        return refusal

    def _count(self, trips: tuple[str, ...]) -> None:
        """Count what a call tripped."""
        for kind in trips:
            self._metrics.tripped(kind)
        if "zombie" in trips:
            self.zombie_found.set()

    def _learn_duration(self, ticket: Ticket) -> None:
        """Keep a moving average of how long money is held: what a 429 tells its caller to wait."""
        held_ms = int((time.monotonic() - ticket.started_s) * 1000)
        self._usual_call_ms += (held_ms - self._usual_call_ms) // RETRY_AFTER_WEIGHT
