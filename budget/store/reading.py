"""Reads of the budget's keys for people and for feeds: counters, ledger, lists of scopes."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
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
from budget.scopes import GLOBAL, Scope, ScopeKind, Window
from budget.store.library import LEDGER, META, TRIPS, id_in, instance_key, stop_key
from budget.store.link import RedisLink
from budget.store.stops import read_jobs
from budget.store.totals import WindowTotals, read_totals
from metering.money import NanoUsd

_COUNTERS: Final = files("budget.store").joinpath("counters.lua").read_text("utf-8")
SCOPES_AT_ONCE: Final = 50
SCANNED_AT_ONCE: Final = 1000
_SCOPE_FIELDS: Final = ("spent", "reserved", "calls", "refusals", "cut_off_unix_ms", "state")


class Reading:
    """What the store holds at this moment; raises `StoreUnavailableError` without it."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def scope(self, scope: Scope) -> ScopeState:
        """Return one scope's counters; zeros when nothing was counted."""
        return _scope_state(scope.id, await self._link.send("HMGET", scope.key, *_SCOPE_FIELDS))

    async def latest(
        self, kind: ScopeKind, limit: int, after: int = 0
    ) -> tuple[list[ScopeState], int]:
        """Return scopes of a kind, those asked last first, and how many there are in all.

        Args:
            kind: Which kind.
            limit: At most so many.
            after: So many are passed over.
        """
        index = Scope(kind).index_key
        listing = self._link.send("ZRANGE", index, after, after + limit - 1, "REV")
        counting = self._link.send("ZCARD", index)
        keys: list[str] = await listing
        return await self._states(kind, [id_in(key) for key in keys]), int(await counting)

    async def _states(self, kind: ScopeKind, ids: Sequence[str]) -> list[ScopeState]:
        rows = [self._link.send("HMGET", Scope(kind, i).key, *_SCOPE_FIELDS) for i in ids]
        states = [_scope_state(i, await row) for i, row in zip(ids, rows, strict=True)]
        if kind is not ScopeKind.INSTANCE:
            return states
        marks = [self._link.send("HGET", instance_key(i), "state") for i in ids]
        return [
            replace(state, state=await mark or state.state)
            for state, mark in zip(states, marks, strict=True)
        ]

    async def count(self, kind: ScopeKind) -> int:
        """Return how many scopes of a kind ever called."""
        return int(await self._link.send("ZCARD", Scope(kind).index_key))

    async def windows(
        self, scopes: Sequence[Scope], windows: Sequence[Window]
    ) -> list[WindowTotals]:
        """Return what some windows of some scopes have spent and hold."""
        found: list[WindowTotals] = []
        for first in range(0, len(scopes), SCOPES_AT_ONCE):
            few = scopes[first : first + SCOPES_AT_ONCE]
            found += await read_totals(self._link, few, windows)
        return found

    async def total(self) -> ScopeState:
        """Return the global scope's counters."""
        killing = self._link.send("HGET", META, "killed")
        state = await self.scope(GLOBAL)
        return replace(state, state="killed") if await killing else state

    async def ledger(self, after: int, limit: int) -> LedgerPage:
        """Return the entries that follow the one numbered `after`."""
        rows = await self._link.send("XRANGE", LEDGER, f"({after}", "+", "COUNT", limit)
        entries = tuple(_entry(entry_id, fields) for entry_id, fields in rows)
        if entries:
            return LedgerPage(entries, entries[-1].seq, entries[0].seq - after - 1)
        newest = await self.newest_seq()
        return LedgerPage((), min(after, newest) or newest, 0)

    async def ledger_before(self, seq: int, limit: int) -> tuple[LedgerEntry, ...]:
        """Return the entries before the one numbered so, the newest first."""
        rows = await self._link.send("XREVRANGE", LEDGER, f"({seq}", "-", "COUNT", limit)
        return tuple(_entry(entry_id, fields) for entry_id, fields in rows)

    async def newest_seq(self) -> int:
        """Return the number of the last ledger entry; 0 before the first."""
        return int(await self._link.send("HGET", META, "seq") or 0)

    async def counters(self, keys: Sequence[str]) -> tuple[int, tuple[ScopeTotals, ...]]:
        """Return the last entry's number and the counters of some scope keys, at one moment."""
        reply = await self._link.send("EVAL_RO", _COUNTERS, 1 + len(keys), META, *keys)
        return int(reply[0]), tuple(
            ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved)))
            for spent, reserved in zip(reply[1::2], reply[2::2], strict=True)
        )

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

    async def instances(self, limit: int, after: int = 0) -> tuple[list[Instance], int]:
        """Return instances, those that called last first, and how many ever called."""
        states, known = await self.latest(ScopeKind.INSTANCE, limit, after)
        return await self._marked([state.id for state in states]), known

    async def stopped_instances(self, cursor: int) -> tuple[list[Instance], int]:
        """Return some of the instances that may not call, and where to go on; 0 is the end.

        In no order; one may come twice while keys are added.
        """
        next_cursor, keys = await self._link.send(
            "SCAN", cursor, "MATCH", instance_key("").rstrip(":") + ":*", "COUNT", SCANNED_AT_ONCE
        )
        marks = [self._link.send("HGET", key, "state") for key in keys]
        stopped = [id_in(key) for key, mark in zip(keys, marks, strict=True) if await mark]
        return await self._marked(stopped), int(next_cursor)

    async def _marked(self, ids: Sequence[str]) -> list[Instance]:
        found = [await self.instance(each) for each in ids]
        return [each for each in found if each is not None]

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
    cut_off, state = row[4:6]
    return ScopeState(
        id=scope_id,
        totals=ScopeTotals(NanoUsd(spent), NanoUsd(reserved)),
        calls=calls,
        refusals=refusals,
        cut_off_unix_ms=None if cut_off is None else int(cut_off),
        state=state or "live",
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
