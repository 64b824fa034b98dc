"""Reservations for tests of the store."""

from secrets import token_hex

from budget.reservations import Reservation
from budget.scopes import GLOBAL, Scope, ScopeKind, ScopeLimit
from metering.money import NanoUsd

HOUR_MS = 3_600_000
LIMIT = 1_000


def reservation(  # each has a name and a unit
    amount: int,
    *,
    reservation_id: str | None = None,
    instance: str = "i-1",
    limit: int | None = LIMIT,
    instance_limit: int | None = None,
    hold_ms: int = HOUR_MS,
) -> Reservation:
    """Build a reservation in the two scopes of a call."""
    return Reservation(
        reservation_id or token_hex(8),
        NanoUsd(amount),
        hold_ms,
        instance,
        (
            ScopeLimit(GLOBAL, None if limit is None else NanoUsd(limit)),
            ScopeLimit(
                Scope(ScopeKind.INSTANCE, instance),
                None if instance_limit is None else NanoUsd(instance_limit),
            ),
        ),
    )
