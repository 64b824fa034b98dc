"""What the store's functions are given for a reservation. Pure; the order is that of lua/."""

from typing import Final

from budget.reservations import Reservation, Rules
from budget.store.library import (
    ACTIVITY_PREFIX,
    CLAIM_PREFIX,
    HOLD_PREFIX,
    HOLDS,
    LEDGER,
    META,
    STOPS,
    STRANGERS,
    TRIPS,
    instance_key,
    stop_key,
)

IGNORES_ZOMBIES: Final = "ignore"


def hold_keys(reservation_id: str) -> tuple[str, str, str, str]:
    """Return the keys of what concerns one hold."""
    return (META, HOLDS, LEDGER, HOLD_PREFIX + reservation_id)


def reserve_keys(reservation: Reservation) -> tuple[str, ...]:
    """Return the keys of a reservation; those that it has no use for are named all the same."""
    claim, execution = reservation.claim, reservation.execution
    return (
        *hold_keys(reservation.id),
        *(TRIPS, instance_key(reservation.instance), stop_key(reservation.instance), STOPS),
        STRANGERS,
        ACTIVITY_PREFIX + ("" if execution is None else execution.activity),
        CLAIM_PREFIX + ("" if claim is None else claim.key),
        *(key for x in reservation.limits for key in (x.scope.key, x.scope.index_key)),
    )


def reserve_arguments(
    reservation: Reservation, rules: Rules, epoch: str, seq: int
) -> tuple[str | int, ...]:
    """Return the arguments of a reservation."""
    claim, execution = reservation.claim, reservation.execution
    limits = (limit.limit_nano_usd for limit in reservation.limits)
    return (
        *(reservation.id, str(reservation.amount_nano_usd), reservation.hold_ms, epoch, seq),
        *(reservation.instance, reservation.app),
        "" if claim is None else claim.body,
        "" if execution is None else execution.ordinal,
        _zombie_at(rules),
        int(rules.stops_zombies),
        "" if execution is None else execution.label,
        *("" if limit is None else str(limit) for limit in limits),
    )


def _zombie_at(rules: Rules) -> str:
    if not rules.refuses_zombies:
        return IGNORES_ZOMBIES
    return "" if rules.zombie_executions is None else str(rules.zombie_executions)
