"""Reservations for tests of the store."""

from secrets import token_hex

from budget.caller import Caller
from budget.limits import InForce, ScopeVelocity
from budget.reservations import Reservation
from budget.scopes import GLOBAL, Scope, ScopeKind, ScopeLimit, scopes_of
from metering.identity import CallerIdentity
from metering.money import NanoUsd

HOUR_MS = 3_600_000
LIMIT = 1_000
MODEL = "gpt-4"


def reservation(  # each has a name and a unit
    amount: int,
    *,
    reservation_id: str | None = None,
    instance: str = "i-1",
    limit: int | None = LIMIT,
    instance_limit: int | None = None,
    hold_ms: int = HOUR_MS,
    limits: tuple[ScopeLimit, ...] = (),
    velocities: tuple[ScopeVelocity, ...] = (),
    version: int = 0,
    **identity: str,
) -> Reservation:
    """Build a reservation in the scopes of a call; more limits follow the two lifetime ones."""
    caller = Caller(CallerIdentity(instance=instance, **identity))
    lifetime = ((GLOBAL, limit), (Scope(ScopeKind.INSTANCE, instance), instance_limit))
    return Reservation(
        reservation_id or token_hex(8),
        NanoUsd(amount),
        hold_ms,
        instance,
        scopes_of(caller, MODEL),
        InForce(
            version,
            (
                *(ScopeLimit(scope, NanoUsd(most)) for scope, most in lifetime if most is not None),
                *limits,
            ),
            velocities,
        ),
        model=MODEL,
    )
