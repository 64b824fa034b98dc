"""A projection as JSON: money is the pair `usd`, `nano_usd`; no number in it is a float.

Durations that may be fractions of a second are decimal text, or whole milliseconds where their
name says so.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from lab.money import NANO_PER_USD
from lab.projection.assumptions import Assumptions
from lab.projection.measured import MEASURED, SOURCE, WINDOW_S, MeasuredRow
from lab.projection.outcomes import Outcome
from lab.projection.project import Growth, Projection
from lab.projection.published import PUBLISHED, PublishedReading
from lab.projection.volume import Volume, half_even

Document = dict[str, Any]
_MS_PER_S: Final = 1000


def money_document(nano_usd: int) -> Document:
    """Return the pair that stands for money in every JSON document."""
    dollars, nano = divmod(nano_usd, NANO_PER_USD)
    return {"usd": f"{dollars}.{nano:09d}", "nano_usd": nano_usd}


def volume_document(volume: Volume) -> Document:
    """Return calls and their cost."""
    return {"calls": volume.calls, "cost": money_document(volume.nano_usd)}


def decimal_text(exact: Fraction) -> str:
    """Return a fraction as plain decimal text, nine decimals at most."""
    rounded = Decimal(half_even(exact * 10**9)).scaleb(-9)
    return f"{rounded.normalize():f}"


def project_document(projections: Sequence[Projection]) -> Document:
    """Return published figures, projections and recordings."""
    return {
        "published": [_published(reading) for reading in PUBLISHED],
        "projections": [_projection(projection) for projection in projections],
        "measured": {"source": SOURCE, "rows": [_measured(row) for row in MEASURED]},
    }


def _published(reading: PublishedReading) -> Document:
    return {
        "name": reading.name,
        "claim": reading.claim,
        "claimed": money_document(reading.claim_nano_usd),
        "assumptions": reading.assumptions,
        "per_call": money_document(reading.nano_usd_per_call),
        "per_hour": volume_document(reading.per_hour),
        "per_day": volume_document(reading.per_day),
        "per_month": volume_document(reading.per_month),
        "reached_after_days": decimal_text(reading.reached_after_days),
    }


def _projection(projection: Projection) -> Document:
    return {
        "assumptions": _assumptions(projection.assumed),
        "first_hour": volume_document(projection.first_hour),
        "first_day": volume_document(projection.first_day),
        "first_month": volume_document(projection.first_month),
        "in_all": volume_document(projection.in_all),
        "outcomes": [_outcome(outcome) for outcome in projection.outcomes],
        "growth": [_growth(growth) for growth in projection.growth],
    }


def _assumptions(assumed: Assumptions) -> Document:
    return {
        "name": assumed.name,
        "profile": assumed.profile,
        "workflows": assumed.workflows,
        "in_flight": assumed.in_flight,
        "call_s": decimal_text(assumed.call_s),
        "period_s": decimal_text(assumed.period_s),
        "tokens": assumed.tokens,
        "per_call": money_document(assumed.nano_usd_per_call),
        "ttl_s": _optional(assumed.ttl_s),
        "outage_s": decimal_text(assumed.away_s),
        "state_lost": assumed.state_loss.value,
        "state_lost_from_call_age_s": _optional(assumed.needed_age_s),
        "executed_again": assumed.again.value,
        "first_side_by_side": assumed.first_chains,
        "caught_up_per_activity": _optional(assumed.caught_up),
        "short_restarts_per_day": decimal_text(assumed.short_restarts_per_day),
        "days": decimal_text(assumed.days),
        "cap": money_document(assumed.cap_nano_usd),
        "zombie_executions": assumed.zombie_executions,
    }


def _outcome(outcome: Outcome) -> Document:
    until_s = outcome.paid_until_s
    return {
        "measure": outcome.measure.value,
        "paid": volume_document(outcome.paid),
        "unpaid_executions": outcome.unpaid_executions,
        "unpaid_per_hour": outcome.unpaid_per_hour,
        "paid_until_ms": None if until_s is None else half_even(until_s * _MS_PER_S),
        "executions_end": outcome.executions_end,
        "jobs_deleted": outcome.jobs_deleted,
    }


def _growth(growth: Growth) -> Document:
    bound_s = growth.bound_from_s
    return {
        "short_restarts_per_day": decimal_text(growth.restarts_per_day),
        "side_by_side": growth.side_by_side,
        "per_hour": growth.per_hour,
        "paid": volume_document(growth.paid),
        "series": volume_document(growth.series),
        "bound_by_the_clock_from_ms": None if bound_s is None else half_even(bound_s * _MS_PER_S),
    }


def _measured(row: MeasuredRow) -> Document:
    return {
        "version": row.version,
        "workflows": row.workflows,
        "in_flight": row.in_flight,
        "call_s": row.call_s,
        "away": row.away,
        "short_restarts": row.short_restarts,
        "window_s": WINDOW_S,
        "executions": list(row.executions),
        "per_hour": row.per_hour,
        "finding": row.finding,
    }


def _optional(exact: Fraction | None) -> str | None:
    return None if exact is None else decimal_text(exact)
