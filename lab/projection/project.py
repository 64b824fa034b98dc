"""Puts a projection together: what it costs, what it becomes, what stops it."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Final

from lab.expectation import Again
from lab.projection.assumptions import Assumptions
from lab.projection.outcomes import Outcome, outcomes, paid
from lab.projection.repetition import Repetition
from lab.projection.volume import DAY_S, HOUR_S, MONTH_DAYS, Volume

_RESTARTS_SHOWN: Final = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Growth:
    """What a runaway becomes under a number of short restarts a day.

    Attributes:
        side_by_side: executions of one activity at the same time, at the end.
        per_hour: calls an hour at the end.
        paid: calls and cost of all the days together.
        series: the sum of the growing series alone, as if there were no retry clock.
        bound_from_s: from when on the retry clock, not the number of chains, limits the
            executions; None: not within these days.
    """

    restarts_per_day: Fraction
    side_by_side: int
    per_hour: int
    paid: Volume
    series: Volume
    bound_from_s: Fraction | None


@dataclass(frozen=True, slots=True)
class Projection:
    """One projection.

    Attributes:
        first_hour: what the first hour costs; likewise the first day and the first 30 days.
        in_all: what the days that were asked for cost.
        outcomes: what is left of that when something stands in the way.
        growth: the same days under other numbers of short restarts; empty where nothing comes
            again without end.
    """

    assumed: Assumptions
    first_hour: Volume
    first_day: Volume
    first_month: Volume
    in_all: Volume
    outcomes: tuple[Outcome, ...]
    growth: tuple[Growth, ...]


def project(assumed: Assumptions) -> Projection:
    """Project one case.

    Raises:
        ValueError: Nobody knows what that version of Dapr does.
    """
    return Projection(
        assumed,
        paid(assumed, Fraction(HOUR_S)),
        paid(assumed, Fraction(DAY_S)),
        paid(assumed, Fraction(MONTH_DAYS * DAY_S)),
        paid(assumed, assumed.days * DAY_S),
        outcomes(assumed),
        _growth(assumed) if assumed.again is Again.ENDLESS else (),
    )


def _growth(assumed: Assumptions) -> tuple[Growth, ...]:
    shown = sorted({*map(Fraction, _RESTARTS_SHOWN), assumed.short_restarts_per_day})
    return tuple(_grown(replace(assumed, short_restarts_per_day=count)) for count in shown)


def _grown(assumed: Assumptions) -> Growth:
    horizon_s = assumed.days * DAY_S
    repetition = Repetition.of(assumed)
    series = floor(assumed.activities * repetition.back_to_back(horizon_s))
    return Growth(
        assumed.short_restarts_per_day,
        repetition.side_by_side(horizon_s),
        int(assumed.activities * repetition.per_s(horizon_s) * HOUR_S),
        paid(assumed, horizon_s),
        Volume(series, series * assumed.nano_usd_per_call),
        repetition.bound_from_s if repetition.is_bound(horizon_s) else None,
    )
