"""What the store's functions answer, as values. Pure."""

from collections.abc import Sequence
from typing import Any

from budget.answers import StoredAnswer
from budget.reservations import (
    Admission,
    Allowed,
    Denied,
    Expired,
    HoldState,
    InFlight,
    Mismatch,
    Obstacle,
    Recorded,
    Replay,
    Reservation,
    ScopeBarrier,
    ScopeTotals,
    Settled,
    Stale,
    Stopped,
)
from budget.scopes import Scope, ScopeKind
from metering.money import NanoUsd


def read_admission(reservation: Reservation, reply: Sequence[Any]) -> Admission:
    """Read what became of a reservation."""
    outcome, *row = reply
    match outcome:
        case "ALLOW":
            admission: Admission = _allowed(row)
        case "DENY":
            admission = _denied(reservation, row)
        case "STOPPED":
            admission = _stopped(row)
        case "REPLAY":
            admission = _replay(row)
        case "IN_FLIGHT":
            admission = InFlight(row[0])
        case "STALE":
            admission = Stale(int(row[0]))
        case _:
            admission = Mismatch()
    return admission


def read_recorded(reply: Sequence[Any]) -> Recorded | None:
    """Read the entry that a function wrote; None when the hold did not let it."""
    return Recorded(int(reply[1]), int(reply[2])) if reply[0] == "OK" else None


def read_settled(reply: Sequence[Any]) -> Settled | None:
    """Read what became of a settlement."""
    if reply[0] != "OK":
        return None
    seq, at, overshoot, remaining = reply[1:]
    return Settled(int(seq), int(at), NanoUsd(int(overshoot)), _number(remaining))


def read_expired(row: Sequence[str]) -> tuple[Expired, ...]:
    """Read the holds that expired."""
    return tuple(
        Expired(reservation_id, HoldState(state), int(seq), int(at))
        for reservation_id, state, seq, at in zip(
            row[::4], row[1::4], row[2::4], row[3::4], strict=True
        )
    )


def _allowed(row: Sequence[str]) -> Allowed:
    seq, at, remaining, trips = row
    return Allowed(int(seq), int(at), _number(remaining), _trips(trips))


def _stopped(row: Sequence[str]) -> Stopped:
    kind, scope_id, state, since, reason, actor, trips = row
    scope = Scope(ScopeKind(kind), scope_id)
    return Stopped(scope, state, int(since), reason, actor, _trips(trips))


def _replay(row: Sequence[str]) -> Replay:
    owner, status, headers, body = row
    return Replay(owner, StoredAnswer(int(status), headers, body))


def _denied(reservation: Reservation, reply: Sequence[Any]) -> Denied:
    obstacle, place, _now, trips, *row = reply
    barriers = tuple(
        ScopeBarrier(
            limit,
            ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved))),
            NanoUsd(int(closed)) if closed else None,
            _number(resets_at),
        )
        for limit, spent, reserved, closed, resets_at in zip(
            reservation.in_force.limits, row[::4], row[1::4], row[2::4], row[3::4], strict=True
        )
    )
    return Denied(Obstacle(obstacle), int(place) - 1, barriers, _trips(trips))


def _number(text: str) -> int | None:
    return int(text) if text else None


def _trips(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
