"""Ledger entries as a journal keeps them: what replays them, as strings. Pure.

Each has `k` ("e"), `seq`, `at` (unix ms), `event` and `id`; a reservation also amount, instance,
expires, app, model, tenant and scopes (keys, one a line); a settlement cost and estimated; an
expiry as, what became of the hold, and so does a reservation that was dispatched with it.
"""

from collections.abc import Sequence
from typing import Final

from budget.recovery.records import Record
from budget.reservations import Allowed, Expired, HoldState, Recorded, Reservation, Settled
from budget.scopes import GLOBAL, Scope, ScopeKind
from metering.money import NanoUsd

ENTRY: Final = "e"
_KEPT: Final = (
    *("event", "id", "at", "amount", "instance", "expires", "app", "model", "tenant", "scopes"),
    *("cost", "estimated", "as"),
)


def of_admission(reservation: Reservation, allowed: Allowed, state: HoldState) -> Record:
    """Write a reservation and what it made of the hold."""
    return _entry("reserve", reservation.id, allowed.seq, allowed.at_unix_ms) | {
        "amount": str(reservation.amount_nano_usd),
        "instance": reservation.instance,
        "expires": str(allowed.at_unix_ms + reservation.hold_ms),
        "app": reservation.app,
        "model": reservation.model,
        "tenant": reservation.tenant,
        "scopes": "\n".join(scope.key for scope in reservation.scopes),
        "as": state.value,
    }


def of_recorded(event: str, reservation_id: str, recorded: Recorded) -> Record:
    """Write a dispatch or a release."""
    return _entry(event, reservation_id, recorded.seq, recorded.at_unix_ms)


def of_settlement(
    reservation_id: str, cost: NanoUsd, settled: Settled, *, is_estimated: bool
) -> Record:
    """Write a settlement."""
    more = {"cost": str(cost), "estimated": "1" if is_estimated else "0"}
    return _entry("settle", reservation_id, settled.seq, settled.at_unix_ms) | more


def of_expiry(expired: Expired) -> Record:
    """Write an expiry."""
    entry = _entry("expire", expired.reservation_id, expired.seq, expired.at_unix_ms)
    return entry | {"as": expired.state.value}


def of_ledger(entry_id: str, row: Sequence[str]) -> Record:
    """Write what the ledger in Redis holds of an entry."""
    fields = dict(zip(row[::2], row[1::2], strict=True))
    entry: Record = {"k": ENTRY, "seq": int(entry_id.partition("-")[0])}
    return entry | {name: fields[name] for name in _KEPT if name in fields}


def for_replay(entry: Record) -> Record:
    """Return what Redis is given of an entry; one from before scopes were written has two."""
    replayed = {name: value for name, value in entry.items() if name not in {"k", "seq"}}
    instance = entry.get("instance")
    if instance:
        replayed["instance_key"] = Scope(ScopeKind.INSTANCE, instance).key
    if entry["event"] == "reserve":
        replayed.setdefault("scopes", f"{GLOBAL.key}\n{replayed.get('instance_key', '')}")
        replayed.setdefault("expires", entry["at"])
        for name in ("app", "model", "tenant"):
            replayed.setdefault(name, "")
    return replayed


def _entry(event: str, reservation_id: str, seq: int, at_unix_ms: int) -> Record:
    return {"k": ENTRY, "seq": seq, "at": str(at_unix_ms), "event": event, "id": reservation_id}
