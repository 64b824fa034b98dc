"""What the store's functions answer, as values. Pure."""

from collections.abc import Sequence
from typing import Any

from budget.answers import StoredAnswer
from budget.reservations import (
    Admission,
    Allowed,
    Denied,
    InFlight,
    Mismatch,
    Obstacle,
    Replay,
    Reservation,
    ScopeBarrier,
    ScopeTotals,
    Stopped,
)
from metering.money import NanoUsd


def read_admission(reservation: Reservation, reply: Sequence[Any]) -> Admission:
    """Read what became of a reservation."""
    outcome, *row = reply
    match outcome:
        case "ALLOW":
            return Allowed(int(row[0]), read_totals(row[1:]))
        case "DENY":
            return _denied(reservation, row)
        case "KILLED" | "STOPPED":
            state, since, reason, actor, is_new_zombie = row
            return Stopped(
                state, outcome == "KILLED", int(since), reason, actor, is_new_zombie == "1"
            )
        case "REPLAY":
            owner, status, headers, body = row
            return Replay(owner, StoredAnswer(int(status), headers, body))
        case "IN_FLIGHT":
            return InFlight(row[0])
        case _:
            return Mismatch()


def read_totals(row: Sequence[str]) -> tuple[ScopeTotals, ...]:
    """Read the counters of some scopes."""
    return tuple(
        ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved)))
        for spent, reserved in zip(row[::2], row[1::2], strict=True)
    )


def _denied(reservation: Reservation, reply: Sequence[Any]) -> Denied:
    obstacle, place, _now, *row = reply
    barriers = tuple(
        ScopeBarrier(
            limit,
            ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved))),
            NanoUsd(int(closed)) if closed else None,
        )
        for limit, spent, reserved, closed in zip(
            reservation.limits, row[::3], row[1::3], row[2::3], strict=True
        )
    )
    return Denied(Obstacle(obstacle), int(place) - 1, barriers)
