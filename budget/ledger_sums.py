"""Sums of the ledger by scope: what the counters have to be. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from budget.reservations import HoldState, LedgerEntry
from budget.scopes import GLOBAL, Scope, ScopeKind

FORGET_EXPIRED_MS: Final = 25 * 3_600_000
"""A late settlement finds its hold for a day; an hour more for clocks that were set."""


@dataclass(slots=True)
class ScopeSums:
    """What the ledger says of one scope, in nano-dollars."""

    spent: int = 0
    reserved: int = 0


@dataclass(slots=True)
class LedgerSums:
    """Sums of entries that are added in their order, without gaps.

    Memory grows with the scopes and with the holds that are open, not with the entries.

    Attributes:
        first_seq: The first entry that was added; 0 before it.
        first_at_unix_ms: Its time.
        last_seq: The last one.
        entries: How many.
        unattributed: Entries of holds that were made before the first one: their scopes are not
            known.
        scopes: By the scope's key.
    """

    first_seq: int = 0
    first_at_unix_ms: int = 0
    last_seq: int = 0
    entries: int = 0
    unattributed: int = 0
    scopes: dict[str, ScopeSums] = field(default_factory=dict)
    _holds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _expired: deque[tuple[int, str]] = field(default_factory=deque)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing since the store's first entry."""
        return self.first_seq <= 1

    def add(self, entry: LedgerEntry) -> None:
        """Add the next entry.

        Raises:
            ValueError: It does not follow the last one.
        """
        if self.first_seq == 0:
            self.first_seq, self.first_at_unix_ms = entry.seq, entry.at_unix_ms
        elif entry.seq != self.last_seq + 1:
            raise ValueError(f"entry {entry.seq} does not follow entry {self.last_seq}")
        self.last_seq = entry.seq
        self.entries += 1
        self._forget(entry.at_unix_ms)
        for key in self._scopes_of(entry):
            sums = self.scopes.setdefault(key, ScopeSums())
            sums.spent += entry.spent_delta
            sums.reserved += entry.reserved_delta

    def _scopes_of(self, entry: LedgerEntry) -> tuple[str, ...]:
        hold = entry.reservation_id
        scopes = entry.scopes or self._holds.get(hold)
        if entry.event == "reserve":
            scopes = scopes or _scopes_before_they_were_named(entry.instance)
            self._holds[hold] = scopes
        elif scopes is None:
            self.unattributed += 1
            return ()
        elif entry.state is HoldState.EXPIRED_SPENT:
            self._expired.append((entry.at_unix_ms, hold))
        elif entry.event in {"settle", "release", "expire"}:
            self._holds.pop(hold, None)
        return scopes

    def _forget(self, now_unix_ms: int) -> None:
        while self._expired and now_unix_ms - self._expired[0][0] > FORGET_EXPIRED_MS:
            self._holds.pop(self._expired.popleft()[1], None)


def _scopes_before_they_were_named(instance: str) -> tuple[str, ...]:
    """Return the scopes of a reservation whose entry, of an older gateway, does not name them."""
    return (GLOBAL.key, Scope(ScopeKind.INSTANCE, instance).key)
