"""What must become of a call, from the books, the rules and who is stopped: no Redis."""

from dataclasses import dataclass, field
from typing import Literal

from budget.limits import InForce
from budget.reservations import Reservation
from budget.scopes import Scope, ScopeKind, ScopeLimit, Window
from tests.budget.store.books import Books, bucket_of

ASKED_FIRST = {ScopeKind.GLOBAL, ScopeKind.INSTANCE}
"""A kill of one of these is known before any velocity is looked at."""

Outcome = Literal["allowed", "spent", "held", "stopped"]


@dataclass(frozen=True, slots=True)
class Closed:
    """An amount that was refused for good, under a limit, in a bucket."""

    bucket: str
    amount: int
    limit: int


@dataclass(frozen=True, slots=True)
class Met:
    """A limit as a call meets it."""

    spent: int
    reserved: int
    obstacle: str | None


@dataclass(slots=True)
class Oracle:
    """Decides calls.

    Attributes:
        books: Fed from the ledger.
        stopped: Scopes that are killed or too fast.
        resumed: The ledger's end when a scope was resumed.
        closed: What was refused for good.
    """

    books: Books = field(default_factory=Books)
    stopped: dict[Scope, str] = field(default_factory=dict)
    resumed: dict[Scope, int] = field(default_factory=dict)
    closed: dict[tuple[Scope, Window], Closed] = field(default_factory=dict)

    def too_fast(self, call: InForce, now_ms: int) -> list[Scope]:
        """Return the scopes that a call finds above their velocity."""
        return [
            rule.scope
            for rule in call.velocities
            if self.books.charged(rule.scope, rule.over, now_ms, self.resumed.get(rule.scope, 0))
            > rule.most_nano_usd
        ]

    def met(self, limit: ScopeLimit, amount: int, now_ms: int) -> Met:
        """Return how a call meets a limit."""
        most = limit.limit_nano_usd
        assert most is not None
        spent, reserved = self.books.totals(limit.scope, limit.window, now_ms)
        closed = self._closed(limit, now_ms)
        is_closed = closed is not None and most <= closed.limit and amount >= closed.amount
        obstacle = None
        if spent + amount > most or is_closed:
            obstacle = "spent"
        elif spent + reserved + amount > most:
            obstacle = "held"
        return Met(spent, reserved, obstacle)

    def decide(self, call: Reservation, now_ms: int) -> Outcome:
        """Return what becomes of a call, and remember what follows from it."""
        if self._is_killed_first(call):
            return "stopped"
        fast = self.too_fast(call.in_force, now_ms)
        for scope in fast:
            self.stopped.setdefault(scope, "velocity")
        if any(scope in self.stopped for scope in call.scopes):
            return "stopped"
        amount = call.amount_nano_usd
        met = [(limit, self.met(limit, amount, now_ms)) for limit in call.in_force.limits]
        if any(each.obstacle == "spent" for _, each in met):
            for limit, each in met:
                if each.obstacle == "spent":
                    self._close(limit, amount, now_ms)
            return "spent"
        if any(each.obstacle for _, each in met):
            return "held"
        for limit, _ in met:
            closed = self._closed(limit, now_ms)
            if closed is not None and (limit.limit_nano_usd or 0) > closed.limit:
                del self.closed[limit.scope, limit.window]
        return "allowed"

    def _is_killed_first(self, call: Reservation) -> bool:
        return any(
            scope.kind in ASKED_FIRST and self.stopped.get(scope) == "killed"
            for scope in call.scopes
        )

    def _closed(self, limit: ScopeLimit, now_ms: int) -> Closed | None:
        closed = self.closed.get((limit.scope, limit.window))
        is_live = closed is not None and closed.bucket == bucket_of(limit.window, now_ms)
        return closed if is_live else None

    def _close(self, limit: ScopeLimit, amount: int, now_ms: int) -> None:
        most = limit.limit_nano_usd or 0
        if amount > most or limit.window.rolling_minutes is not None:
            return
        closed = self._closed(limit, now_ms)
        least = amount if closed is None or most > closed.limit else min(amount, closed.amount)
        self.closed[limit.scope, limit.window] = Closed(
            bucket_of(limit.window, now_ms), least, most
        )
