"""Reads of the budget's keys for people and for feeds: counters, ledger, lists of scopes."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from budget.link import RedisLink
from budget.reservations import HoldState, LedgerEntry, LedgerPage, ScopeState, ScopeTotals
from budget.scopes import GLOBAL, Scope, ScopeKind
from budget.store import LEDGER, META
from metering.money import NanoUsd

_SCOPE_FIELDS: Final = ("spent", "reserved", "calls", "refusals", "cut_off_unix_ms")


class Reading:
    """What the store holds at this moment; raises `StoreUnavailableError` without it."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def scope(self, scope: Scope) -> ScopeState:
        """Return one scope's counters; zeros when nothing was counted."""
        return _scope_state(scope.id, await self._link.send("HMGET", scope.key, *_SCOPE_FIELDS))

    async def latest(self, kind: ScopeKind, limit: int) -> tuple[list[ScopeState], int]:
        """Return the scopes of a kind that were asked last, and how many there are in all."""
        index = Scope(kind).index_key
        listing = self._link.send("ZRANGE", index, 0, limit - 1, "REV")
        counting = self._link.send("ZCARD", index)
        keys: list[str] = await listing
        rows = [self._link.send("HMGET", key, *_SCOPE_FIELDS) for key in keys]
        states = [
            _scope_state(unquote(key.rpartition(":")[2]), await row)
            for key, row in zip(keys, rows, strict=True)
        ]
        return states, int(await counting)

    async def total(self) -> ScopeState:
        """Return the global scope's counters."""
        return await self.scope(GLOBAL)

    async def ledger(self, after: int, limit: int) -> LedgerPage:
        """Return the entries that follow the one numbered `after`."""
        rows = await self._link.send("XRANGE", LEDGER, f"({after}", "+", "COUNT", limit)
        entries = tuple(_entry(entry_id, fields) for entry_id, fields in rows)
        if entries:
            return LedgerPage(entries, entries[-1].seq, entries[0].seq - after - 1)
        newest = int(await self._link.send("HGET", META, "seq") or 0)
        return LedgerPage((), min(after, newest) or newest, 0)


def _scope_state(scope_id: str, row: Sequence[str | None]) -> ScopeState:
    spent, reserved, calls, refusals = (int(value or 0) for value in row[:4])
    cut_off = row[4]
    return ScopeState(
        id=scope_id,
        totals=ScopeTotals(NanoUsd(spent), NanoUsd(reserved)),
        calls=calls,
        refusals=refusals,
        cut_off_unix_ms=None if cut_off is None else int(cut_off),
    )


def _entry(entry_id: str, row: Sequence[str] | dict[str, str]) -> LedgerEntry:
    fields = row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))
    return LedgerEntry(
        seq=int(entry_id.partition("-")[0]),
        at_unix_ms=int(fields["at"]),
        event=fields["event"],
        reservation_id=fields["id"],
        instance=fields["instance"],
        amount=NanoUsd(int(fields["amount"])),
        reserved_delta=NanoUsd(int(fields["reserved"])),
        spent_delta=NanoUsd(int(fields["spent"])),
        cost=NanoUsd(int(fields["cost"])) if "cost" in fields else None,
        overshoot=NanoUsd(int(fields.get("overshoot", "0"))),
        estimated=fields.get("estimated") == "1",
        state=HoldState(fields["as"]) if "as" in fields else None,
    )
