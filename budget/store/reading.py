"""Reads of the budget's keys for people and for feeds: counters, ledger, lists of scopes."""

from collections.abc import Sequence
from typing import Final

from budget.instances import (
    Instance,
    InstanceState,
    SourceStop,
    StopState,
    Trip,
    TripPage,
)
from budget.reservations import HoldState, LedgerEntry, LedgerPage, ScopeState, ScopeTotals
from budget.scopes import GLOBAL, Scope, ScopeKind
from budget.store.library import LEDGER, META, TRIPS, id_in, instance_key, stop_key
from budget.store.link import RedisLink
from budget.store.stops import read_jobs
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
        states = [_scope_state(id_in(key), await row) for key, row in zip(keys, rows, strict=True)]
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

    async def instance(self, instance: str) -> Instance | None:
        """Return what is known of an instance; None when it never called and was never stopped."""
        scope = Scope(ScopeKind.INSTANCE, instance)
        marking = self._link.send("HGETALL", instance_key(instance))
        stopping = self._link.send("HGETALL", stop_key(instance))
        counting = self._link.send("HMGET", scope.key, *_SCOPE_FIELDS)
        mark, stop, row = _fields(await marking), _fields(await stopping), await counting
        if not mark and not stop and not any(row):
            return None
        return _instance(_scope_state(instance, row), mark, _source_stop(stop) if stop else None)

    async def trips(self, after: int, limit: int) -> TripPage:
        """Return the trips that follow the one numbered `after`."""
        rows = await self._link.send("XRANGE", TRIPS, f"({after}", "+", "COUNT", limit)
        trips = tuple(_trip(entry_id, fields) for entry_id, fields in rows)
        if trips:
            return TripPage(trips, trips[-1].seq, trips[0].seq - after - 1)
        newest = int(await self._link.send("HGET", META, "trips") or 0)
        return TripPage((), min(after, newest) or newest, 0)


def _fields(row: Sequence[str] | dict[str, str]) -> dict[str, str]:
    return row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))


def _instance(money: ScopeState, mark: dict[str, str], source: SourceStop | None) -> Instance:
    since = mark.get("since")
    return Instance(
        money=money,
        app=mark.get("app", ""),
        state=InstanceState(mark.get("state", InstanceState.LIVE)),
        since_unix_ms=None if since is None else int(since),
        reason=mark.get("reason"),
        actor=mark.get("actor"),
        activities=int(mark.get("activities", 0)),
        executions=int(mark.get("executions", 0)),
        most_executions=int(mark.get("most_executions", 0)),
        replays=int(mark.get("replays", 0)),
        refusals=int(mark.get("refusals", 0)),
        source=source,
    )


def _source_stop(stop: dict[str, str]) -> SourceStop:
    ended, left = stop.get("ended"), stop.get("left")
    return SourceStop(
        state=StopState(stop["state"]),
        requested_unix_ms=int(stop["requested"]),
        ended_unix_ms=None if ended is None else int(ended),
        attempts=int(stop["attempts"]),
        jobs_deleted=int(stop["deleted"]),
        jobs=read_jobs(stop["jobs"]),
        jobs_left=int(left) if left else None,
        error=stop["error"] or None,
    )


def _trip(entry_id: str, row: Sequence[str] | dict[str, str]) -> Trip:
    fields = _fields(row)
    return Trip(
        seq=int(entry_id.partition("-")[0]),
        at_unix_ms=int(fields["at"]),
        kind=fields["kind"],
        scope=fields["scope"],
        id=fields["id"],
        reason=fields["reason"],
        actor=fields["actor"],
        detail=fields["detail"],
    )


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
    fields = _fields(row)
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
        expires_unix_ms=int(fields["expires"]) if "expires" in fields else None,
        app=fields.get("app", ""),
        model=fields.get("model", ""),
        tenant=fields.get("tenant", ""),
        scopes=tuple(fields.get("scopes", "").split()),
    )
