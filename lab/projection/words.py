"""Says a projection in plain words: what it takes for granted, and what each measure leaves."""

from fractions import Fraction
from typing import Final

from lab.expectation import Again
from lab.money import format_usd
from lab.projection.assumptions import Assumptions, StateLoss
from lab.projection.document import decimal_text
from lab.projection.outcomes import Measure, Outcome
from lab.projection.project import Growth
from lab.projection.volume import DAY_S, HOUR_S, half_even

_AGAIN: Final = {
    Again.ENDLESS: "each activity in flight is executed without end, one execution each {period} s",
    Again.ONCE: "each activity in flight is executed once more, then its job is dropped",
    Again.NEVER: "nothing is executed again",
}
_MEASURES: Final = {
    Measure.NOTHING: "nothing",
    Measure.CAP: "hard cap {cap}",
    Measure.REPLAY: "replay",
    Measure.SOURCE_STOP: "replay, source stop",
}


def count(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where there are more."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def heading(assumed: Assumptions) -> str:
    """Return who runs away, and what each call costs."""
    per = f"{count(assumed.in_flight, 'activity')} in flight"
    each = per if assumed.workflows == 1 else f"{per} in each"
    price = format_usd(assumed.nano_usd_per_call)
    made_of = "" if assumed.tokens is None else f" ({count(assumed.tokens, 'token')})"
    return (
        f"{assumed.name}: {count(assumed.workflows, 'workflow')}, {each}; a call takes "
        f"{decimal_text(assumed.call_s)} s and costs {price}{made_of}"
    )


def assumptions(assumed: Assumptions) -> list[str]:
    """Return what the projection takes for granted, one sentence a line."""
    again = _AGAIN[assumed.again].format(period=decimal_text(assumed.period_s))
    lines = [f"Dapr {assumed.profile}: {again}.", _state(assumed)]
    if assumed.again is Again.ENDLESS and assumed.first_chains > 1:
        lines.append(
            "The sidecar is back before a call has ended: two executions of each activity run "
            "side by side."
        )
    if assumed.again is Again.ENDLESS and assumed.short_restarts_per_day:
        times = decimal_text(assumed.short_restarts_per_day)
        lines.append(f"Each short restart of the sidecar, {times} a day, adds one side by side.")
    if assumed.caught_up is not None:
        lines.append(
            f"Once it is back, about {half_even(assumed.caught_up):,} executions of each activity "
            "follow back to back: they make up for the absence."
        )
    return lines


def _state(assumed: Assumptions) -> str:
    away = f"the sidecar is away for {decimal_text(assumed.away_s)} s"
    if assumed.outage_s is None:
        away += " or longer"
    if assumed.ttl_s is None:
        return f"Without a TTL no state expires, however long {away}."
    ttl = f"TTL {decimal_text(assumed.ttl_s)} s, {away}"
    if assumed.state_loss is StateLoss.ALWAYS:
        return f"{ttl}: whatever ran then has lost its state."
    if assumed.state_loss is StateLoss.NEVER:
        return f"{ttl}: it is back before the state of a call expires, and nothing is lost."
    age_s = decimal_text(assumed.needed_age_s or Fraction(0))
    return f"{ttl}: a call has lost its state if it was {age_s} s old or older, as all here were."


def measure(outcome: Outcome, assumed: Assumptions) -> str:
    """Return what stands in the way."""
    cap = format_usd(assumed.cap_nano_usd)
    return _MEASURES[outcome.measure].format(cap=cap)


def what_follows(outcome: Outcome, nth: int) -> str:
    """Return what goes on, or what has ended; `nth` is the execution that a source stop ends."""
    if outcome.executions_end:
        deleted = outcome.jobs_deleted
        if not deleted:
            return "executions end"
        return f"ends at execution {nth}, {count(deleted, 'job')} deleted"
    if outcome.measure is Measure.NOTHING:
        return "goes on, and pays"
    if not outcome.unpaid_per_hour:
        return "goes on, the cap is not reached"
    pace = f"for nothing, {outcome.unpaid_per_hour // HOUR_S:,}/s"
    if outcome.measure is Measure.CAP and outcome.paid_until_s is not None:
        return f"reached after {duration(outcome.paid_until_s)}; on {pace}"
    return f"goes on {pace}"


def growth_note(growth: Growth) -> str:
    """Return from when on more chains make no more executions."""
    if growth.bound_from_s is None:
        return ""
    since = float_free(growth.bound_from_s / DAY_S)
    return f"one a second from day {since}"


def float_free(exact: Fraction) -> str:
    """Return a number with one decimal at most."""
    return decimal_text(Fraction(half_even(exact * 10), 10))


def duration(seconds: Fraction) -> str:
    """Return a time in the unit that suits it: seconds, minutes, hours or days."""
    for unit, length_s in (("d", DAY_S), ("h", HOUR_S), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{float_free(seconds / length_s)} {unit}"
    return f"{float_free(seconds)} s"
