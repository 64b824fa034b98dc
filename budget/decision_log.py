"""What one gateway decided, newest last: a bounded feed for people, and counts."""

import time
from dataclasses import dataclass
from typing import Final

from budget.calls.refusals import Refusal
from budget.feed import Feed, first_number
from budget.metrics import Metrics
from budget.reservations import Replay, Reservation
from budget.scopes import GLOBAL, Scope
from metering.identity import CallerIdentity
from metering.money import NanoUsd

MAX_DECISIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Decision:
    """One call that was let through or answered from the store (`code` is empty), or refused."""

    at_unix_ms: int
    decision: str
    code: str
    scope: str
    identity: CallerIdentity
    requested: NanoUsd
    reservation_id: str


class DecisionLog:
    """Records decisions.

    Args:
        metrics: Where they are counted.

    Attributes:
        feed: The last of them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.feed: Feed[Decision] = Feed(
            MAX_DECISIONS, first=first_number(time.time_ns() // 1_000_000)
        )

    def allowed(self, identity: CallerIdentity, reservation: Reservation) -> None:
        """Record a call that is made."""
        self._record(identity, "allow", reservation, reservation.id)

    def replayed(self, identity: CallerIdentity, reservation: Reservation, replay: Replay) -> None:
        """Record a call that is answered from the store, under the id of the one that was paid."""
        self._metrics.replays.inc()
        self._record(identity, "replay", reservation, replay.reservation_id)

    def refused(
        self,
        identity: CallerIdentity,
        refusal: Refusal,
        reservation: Reservation | None = None,
        scope: Scope = GLOBAL,
    ) -> None:
        """Record a call that is not made; without a reservation the store was not asked."""
        code = refusal.code or refusal.type
        reservation_id = "" if reservation is None else reservation.id
        self._record(identity, "deny", reservation, reservation_id, code=code, scope=scope)

    def _record(
        self,
        identity: CallerIdentity,
        decision: str,
        reservation: Reservation | None,
        reservation_id: str,
        *,
        code: str = "",
        scope: Scope = GLOBAL,
    ) -> None:
        self._metrics.decided(decision, code, scope.kind)
        self.feed.append(
            Decision(
                at_unix_ms=time.time_ns() // 1_000_000,
                decision=decision,
                code=code,
                scope=scope.kind,
                identity=identity,
                requested=NanoUsd(0) if reservation is None else reservation.amount_nano_usd,
                reservation_id=reservation_id,
            )
        )
