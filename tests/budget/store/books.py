"""What the ledger alone says of money: the books that the store's counters are held against."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from budget.reservations import HoldState, LedgerEntry
from budget.scopes import Scope, Window

TICK_MS = 10_000
TICKS_OVER = {"60s": 6, "10m": 60}


def bucket_of(window: Window, at_ms: int) -> str:
    """Name the calendar bucket of a moment."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    formats = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
    return at.strftime(formats.get(window, "ever"))


def is_within(window: Window, at_ms: int, now_ms: int) -> bool:
    """Whether a window that is looked at now has a call that was reserved at a moment."""
    minutes = window.rolling_minutes
    if minutes is None:
        return bucket_of(window, at_ms) == bucket_of(window, now_ms)
    return at_ms // TICK_MS >= now_ms // TICK_MS - 6 * minutes


@dataclass(slots=True)
class Kept:
    """One call, as its entries tell it.

    Attributes:
        at: When it was reserved.
        scopes: The keys of its scopes.
        amount, reserved, spent: In nano-dollars; the last two as they are by now.
        state: What became of it.
        charges: (entry, moment, nano-dollars) of what was spent, corrections where they belong.
    """

    at: int
    scopes: tuple[str, ...]
    amount: int
    reserved: int
    spent: int = 0
    state: HoldState = HoldState.RESERVED
    charges: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def overshoot(self) -> int:
        """How far it cost more than it held."""
        return max(0, self.spent - self.amount)


class Books:
    """All calls, from the ledger."""

    def __init__(self) -> None:
        self.calls: dict[str, Kept] = {}
        self.seq = 0

    def enter(self, entry: LedgerEntry) -> None:
        """Take the next entry."""
        assert entry.seq == self.seq + 1
        self.seq = entry.seq
        if entry.event == "reserve":
            assert entry.expires_unix_ms is not None
            self.calls[entry.reservation_id] = Kept(
                entry.at_unix_ms,
                entry.scopes,
                entry.amount,
                entry.reserved_delta,
                state=entry.state or HoldState.RESERVED,
            )
            return
        call = self.calls[entry.reservation_id]
        call.reserved += entry.reserved_delta
        call.spent += entry.spent_delta
        if entry.spent_delta:
            seq, at = entry.seq, entry.at_unix_ms
            if call.state is HoldState.EXPIRED_SPENT:
                seq, at, _ = call.charges[0]
            call.charges.append((seq, at, entry.spent_delta))
        states = {
            "dispatch": HoldState.DISPATCHED,
            "settle": HoldState.SETTLED,
            "release": HoldState.RELEASED,
        }
        call.state = entry.state or states[entry.event]

    def of(self, scope: Scope, window: Window, now_ms: int) -> Iterator[Kept]:
        """Return the calls of a window."""
        for call in self.calls.values():
            if scope.key in call.scopes and is_within(window, call.at, now_ms):
                yield call

    def totals(self, scope: Scope, window: Window, now_ms: int) -> tuple[int, int]:
        """Return what a window has spent and holds."""
        calls = list(self.of(scope, window, now_ms))
        return sum(c.spent for c in calls), sum(c.reserved for c in calls)

    def charged(self, scope: Scope, over: str, now_ms: int, after: int) -> int:
        """Return what a scope spent in a velocity's time, by entries after one."""
        oldest = now_ms // TICK_MS - TICKS_OVER[over] + 1
        return sum(
            amount
            for call in self.calls.values()
            if scope.key in call.scopes
            for seq, at, amount in call.charges
            if seq > after and at // TICK_MS >= oldest
        )
