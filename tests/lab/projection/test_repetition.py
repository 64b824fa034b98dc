from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lab.projection.repetition import Repetition
from tests.lab.projection.cases import RESTARTS, SECONDS

DAY_S = 86_400
TIMES = st.decimals("0", 90 * DAY_S, places=1).map(Fraction)
REPETITIONS = st.builds(Repetition, SECONDS, st.integers(1, 2), RESTARTS)


def added_up(law: Repetition, days: int) -> Fraction:
    """Add the chains up interval by interval, each at its own pace."""
    interval_s = DAY_S / law.restarts_per_day
    total, began_s, chains = Fraction(0), Fraction(0), law.first_chains
    while began_s < days * DAY_S:
        length_s = min(interval_s, days * DAY_S - began_s)
        total += chains * length_s / law.call_s
        began_s += interval_s
        chains += 1
    return total


def test_a_restart_a_day_adds_a_chain_a_day() -> None:
    """One chain of 10-s calls makes 8,640 on the first day, two the next: 8,640 x (1 + 2 + 3)."""
    law = Repetition(Fraction(10), 1, Fraction(1))
    days = [Fraction(day * DAY_S) for day in range(4)]
    assert [law.executions(day) for day in days] == [0, 8_640, 25_920, 51_840]
    assert [law.side_by_side(day) for day in days[1:]] == [1, 2, 3]


def test_the_retry_clock_ends_the_growth() -> None:
    """Ten chains of 10-s calls make one a second; from day 19 on no further chain makes more."""
    law = Repetition(Fraction(10), 1, Fraction(1))
    assert law.bound_from_s == 19 * DAY_S
    month_s = Fraction(30 * DAY_S)
    assert law.back_to_back(month_s) == 8_640 * 465
    assert law.executions(month_s) == month_s
    assert law.side_by_side(month_s) == 10
    assert law.per_s(month_s) == Fraction(1)


def test_a_call_shorter_than_a_second_is_made_once_a_second() -> None:
    """The retry clock ticks once a second, whatever the call takes less."""
    law = Repetition(Fraction("0.2"), 1, Fraction(0))
    minute_s = Fraction(60)
    assert law.bound_from_s == Fraction(0)
    assert law.per_s(minute_s) == Fraction(1)
    assert law.executions(minute_s) == minute_s


@given(law=REPETITIONS.filter(lambda law: law.restarts_per_day > 0), days=st.integers(1, 20))
def test_the_closed_form_is_the_sum_of_its_intervals(law: Repetition, days: int) -> None:
    """Adding interval to interval gives the same, to the last fraction."""
    assert law.back_to_back(Fraction(days * DAY_S)) == added_up(law, days)


@given(law=REPETITIONS, seconds=TIMES)
def test_the_clock_binds_from_the_moment_that_is_told(law: Repetition, seconds: Fraction) -> None:
    """Before it the chains are the limit, after it the clock, and there both are equal."""
    assert law.is_bound(seconds) == (law.back_to_back(seconds) > law.due(seconds))
    if (bound_s := law.bound_from_s) is not None:
        assert law.back_to_back(bound_s) == law.due(bound_s)


@given(law=REPETITIONS, executions=st.integers(0, 10**7).map(Fraction))
def test_time_and_executions_are_each_others_inverse(law: Repetition, executions: Fraction) -> None:
    """At the moment when so many have been made, exactly so many have been made."""
    assert law.executions(law.seconds_until(executions)) == executions


@given(law=REPETITIONS, earlier=TIMES, later=TIMES)
def test_the_pace_falls_only_to_the_clocks(
    law: Repetition, earlier: Fraction, later: Fraction
) -> None:
    """The count never falls; the pace grows until it has made up for all, then it is one a tick."""
    earlier, later = sorted((earlier, later))
    assert law.executions(earlier) <= law.executions(later)
    assert law.per_s(later) == 1 if law.is_bound(later) else law.per_s(earlier) <= law.per_s(later)
