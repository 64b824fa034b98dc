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
        *(scope.key for scope in reservation.scopes),
    )


def reserve_arguments(
    reservation: Reservation, rules: Rules, epoch: str, seq: int
) -> tuple[str | int, ...]:
    """Return the arguments of a reservation."""
    claim, execution, in_force = reservation.claim, reservation.execution, reservation.in_force
    places = {scope: place for place, scope in enumerate(reservation.scopes, start=1)}
    limits = [
        (places[limit.scope], limit.window, str(limit.limit_nano_usd)) for limit in in_force.limits
    ]
    velocities = [
        (places[each.scope], each.over, str(each.most_nano_usd)) for each in in_force.velocities
    ]
    return (
        *(reservation.id, str(reservation.amount_nano_usd), reservation.hold_ms, epoch, seq),
        *(in_force.version, reservation.instance, reservation.app),
        *(reservation.tenant, reservation.model),
        "" if claim is None else claim.body,
        "" if execution is None else execution.ordinal,
        _zombie_at(rules),
        int(rules.stops_zombies),
        "" if execution is None else execution.label,
        len(limits),
        *(argument for row in (*limits, *velocities) for argument in row),
    )


def _zombie_at(rules: Rules) -> str:
    if not rules.refuses_zombies:
        return IGNORES_ZOMBIES
    return "" if rules.zombie_executions is None else str(rules.zombie_executions)
