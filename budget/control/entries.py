"""Ledger entries as JSON: the same object in the feed and in an exported file."""

import json
from typing import Any, Final
from urllib.parse import unquote

from budget.control.fields import Document
from budget.reservations import HoldState, LedgerEntry
from budget.scopes import KEY_PREFIX
from metering.money import Money, NanoUsd, money_json

_SCOPE_PREFIX: Final = f"{KEY_PREFIX}scope:"


class EntryDocument(Document):
    """One movement of money, or one dispatch.

    What a reservation alone tells (app to scopes) is null in other entries; `scopes` are written
    `<kind>:lifetime:<percent-encoded id>`.
    """

    seq: int
    at_unix_ms: int
    event: str
    state: HoldState | None
    reservation_id: str
    instance: str
    app: str | None
    tenant: str | None
    workflow: str | None
    model: str | None
    expires_unix_ms: int | None
    scopes: list[str] | None
    amount: Money
    reserved_delta: Money
    spent_delta: Money
    cost: Money | None
    overshoot: Money
    estimated: bool


def entry_document(entry: LedgerEntry) -> EntryDocument:
    """Return an entry as JSON shows it."""
    scopes = [key.removeprefix(_SCOPE_PREFIX) for key in entry.scopes]
    workflows = [
        unquote(scope.rpartition(":")[2]) for scope in scopes if scope.startswith("workflow:")
    ]
    return EntryDocument(
        seq=entry.seq,
        at_unix_ms=entry.at_unix_ms,
        event=entry.event,
        state=entry.state,
        reservation_id=entry.reservation_id,
        instance=entry.instance,
        app=entry.app or None,
        tenant=entry.tenant or None,
        workflow=workflows[0] if workflows else None,
        model=entry.model or None,
        expires_unix_ms=entry.expires_unix_ms,
        scopes=scopes or None,
        amount=money_json(entry.amount),
        reserved_delta=money_json(entry.reserved_delta),
        spent_delta=money_json(entry.spent_delta),
        cost=None if entry.cost is None else money_json(entry.cost),
        overshoot=money_json(entry.overshoot),
        estimated=entry.estimated,
    )


def entry_line(entry: LedgerEntry) -> bytes:
    """Return an entry as one line of JSONL."""
    return entry_document(entry).model_dump_json().encode() + b"\n"


def read_entry_line(line: str | bytes) -> LedgerEntry:
    """Read one line of an exported ledger.

    Raises:
        ValueError: It is no entry.
    """
    return _entry(EntryDocument.model_validate_json(line))


def is_entry_line(line: bytes) -> bool:
    """Whether a whole line is an entry, not the end of an export."""
    return not line.startswith(b'{"export"')


def end_line(**numbers: int) -> bytes:
    """Return the last line of an export."""
    return json.dumps({"export": numbers}).encode() + b"\n"


def _entry(row: EntryDocument) -> LedgerEntry:
    fields: dict[str, Any] = {name: getattr(row, name) or "" for name in ("app", "tenant", "model")}
    return LedgerEntry(
        seq=row.seq,
        at_unix_ms=row.at_unix_ms,
        event=row.event,
        reservation_id=row.reservation_id,
        instance=row.instance,
        amount=_nano(row.amount),
        reserved_delta=_nano(row.reserved_delta),
        spent_delta=_nano(row.spent_delta),
        cost=None if row.cost is None else _nano(row.cost),
        overshoot=_nano(row.overshoot),
        estimated=row.estimated,
        state=row.state,
        expires_unix_ms=row.expires_unix_ms,
        scopes=tuple(_SCOPE_PREFIX + scope for scope in row.scopes or ()),
        **fields,
    )


def _nano(money: Money) -> NanoUsd:
    return NanoUsd(money["nano_usd"])
