"""What becomes of the lost activities when something stands in the way of the bill, or nothing.

Counted are all executions of the activities that were in flight, the one that each owed included.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Final

from lab.expectation import Again
from lab.projection.assumptions import Assumptions
from lab.projection.repetition import Repetition
from lab.projection.volume import DAY_S, Volume


class Measure(StrEnum):
    """What stands in the way."""

    NOTHING = "nothing"
    CAP = "cap"
    REPLAY = "replay"
    SOURCE_STOP = "source-stop"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one measure makes of a runaway within the days of the projection.

    Attributes:
        paid: calls that were charged.
        unpaid_executions: executions that were refused, or answered from a stored response.
        unpaid_per_hour: such executions in an hour at the end.
        paid_until_s: when the last paid call was made; None while they go on.
        executions_end: whether executions end, or go on when the projection does.
        jobs_deleted: scheduler jobs that were removed.
    """

    measure: Measure
    paid: Volume
    unpaid_executions: int
    unpaid_per_hour: int
    paid_until_s: Fraction | None
    executions_end: bool
    jobs_deleted: int = 0


_FIXED_EXECUTIONS: Final = {Again.NEVER: 1, Again.ONCE: 2}


def executions(assumed: Assumptions, seconds: Fraction) -> int:
    """Return what all lost activities execute until then, rounded down; at least once each."""
    fixed = _FIXED_EXECUTIONS.get(assumed.again)
    if fixed is not None:
        return assumed.activities * fixed
    made = assumed.activities * Repetition.of(assumed).executions(seconds)
    return max(assumed.activities, floor(made))


def paid(assumed: Assumptions, seconds: Fraction) -> Volume:
    """Return what that costs when nothing stands in the way."""
    return _volume(assumed, executions(assumed, seconds))


def outcomes(assumed: Assumptions) -> tuple[Outcome, ...]:
    """Return what each measure makes of it."""
    return _nothing(assumed), _cap(assumed), _replay(assumed), _source_stop(assumed)


def _nothing(assumed: Assumptions) -> Outcome:
    volume = paid(assumed, _horizon_s(assumed))
    return Outcome(Measure.NOTHING, volume, 0, 0, None, assumed.again is not Again.ENDLESS)


def _cap(assumed: Assumptions) -> Outcome:
    """Refuse what the cap can't pay for; a refused call returns at once, so the clock rules."""
    wanted = executions(assumed, _horizon_s(assumed))
    price = assumed.nano_usd_per_call
    affordable = min(wanted, assumed.cap_nano_usd // price) if price else wanted
    if affordable == wanted:
        return Outcome(Measure.CAP, _volume(assumed, wanted), 0, 0, None, _ends(assumed))
    until_s = None
    if not _ends(assumed):
        each = Fraction(affordable, assumed.activities)
        until_s = Repetition.of(assumed).seconds_until(each)
    return Outcome(
        Measure.CAP,
        _volume(assumed, affordable),
        _unhindered(assumed) - affordable,
        _unpaid_per_hour(assumed),
        until_s,
        _ends(assumed),
    )


def _replay(assumed: Assumptions) -> Outcome:
    """Charge each activity once; a stored response returns at once, so the clock rules."""
    unpaid = _unhindered(assumed) - assumed.activities
    once = _volume(assumed, assumed.activities)
    rate = _unpaid_per_hour(assumed)
    return Outcome(Measure.REPLAY, once, unpaid, rate, Fraction(0), _ends(assumed))


def _source_stop(assumed: Assumptions) -> Outcome:
    """Charge each activity once, and delete its job at its Nth execution."""
    most = assumed.activities * assumed.zombie_executions
    made = min(most, _unhindered(assumed))
    stopped = made == most
    return Outcome(
        Measure.SOURCE_STOP,
        _volume(assumed, assumed.activities),
        made - assumed.activities,
        0,
        Fraction(0),
        stopped or _ends(assumed),
        assumed.activities if stopped else 0,
    )


def _horizon_s(assumed: Assumptions) -> Fraction:
    return assumed.days * DAY_S


def _ends(assumed: Assumptions) -> bool:
    return assumed.again is not Again.ENDLESS


def _unpaid_per_hour(assumed: Assumptions) -> int:
    return 0 if _ends(assumed) else assumed.activities * 3600


def _unhindered(assumed: Assumptions) -> int:
    """Return the executions when calls take no time, what fell due meanwhile made up for."""
    if _ends(assumed):
        return executions(assumed, _horizon_s(assumed))
    due = assumed.activities * Repetition.of(assumed).due(_horizon_s(assumed))
    return max(assumed.activities, floor(due))


def _volume(assumed: Assumptions, calls: int) -> Volume:
    return Volume(calls, calls * assumed.nano_usd_per_call)
