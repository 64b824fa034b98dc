import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.expectation import Again
from lab.redelivery import in_flight_at, measure, steady_window
from tests.lab.evidence_builder import BLOW, FIRST_AGAIN, UNTIL, activity, build, every, execution


@given(period_ms=st.integers(1000, 5000), duration_ms=st.integers(10, 900))
def test_a_steady_pace_is_endless_and_measured(period_ms: int, duration_ms: int) -> None:
    """Executions at one pace until the end are endless, and the pace is their period."""
    seen = measure(build(activity(1, every(period_ms), duration_ms=duration_ms), workflows=1))
    assert seen.kind is Again.ENDLESS
    assert seen.period_ms == period_ms
    assert seen.expected_period_ms == 1000


@given(starts=st.lists(st.integers(FIRST_AGAIN, UNTIL - 12_000), min_size=2, max_size=30))
def test_what_stopped_long_before_the_end_is_not_endless(starts: list[int]) -> None:
    """However often it ran, an activity that was silent at the end had come to an end."""
    seen = measure(build(activity(1, sorted(starts), duration_ms=500), workflows=1))
    assert seen.kind is Again.ENDED


@given(
    call_ms=st.integers(100, 600_000),
    few=st.integers(1, 3),
    lateness=st.floats(1, 1.3),
)
def test_a_few_executions_and_then_silence_are_never_endless(
    call_ms: int, few: int, lateness: float
) -> None:
    """In the shortest observation that a scenario may ask for, up to three are no runaway."""
    pace_ms = max(1000, call_ms)
    starts = [FIRST_AGAIN + round(n * pace_ms * lateness) for n in range(few)]
    until = FIRST_AGAIN + 5 * pace_ms + 2000
    runs = activity(1, starts, duration_ms=call_ms)
    seen = measure(build(runs, workflows=1, observed_until_unix_ms=until))
    assert seen.kind is (Again.ONCE if few == 1 else Again.ENDED)


@given(call_ms=st.integers(100, 600_000), lateness=st.floats(1, 1.3))
def test_a_runaway_is_endless_in_the_shortest_observation(call_ms: int, lateness: float) -> None:
    """The shortest observation that a scenario may ask for is long enough to tell it."""
    pace_ms = max(1000, call_ms)
    until = FIRST_AGAIN + 5 * pace_ms + 2000
    starts = every(round(pace_ms * lateness), until=until)
    runs = activity(1, starts, duration_ms=call_ms)
    seen = measure(build(runs, workflows=1, observed_until_unix_ms=until))
    assert seen.kind is Again.ENDLESS


def test_two_long_executions_and_then_silence_are_not_endless() -> None:
    """Two ten-second executions in 25 s are no runaway, however short the silence after them."""
    runs = activity(1, [FIRST_AGAIN, FIRST_AGAIN + 10_000], duration_ms=10_000)
    assert measure(build(runs, workflows=1)).kind is Again.ENDED


@given(n=st.integers(1, 20))
def test_the_catch_up_burst_does_not_count_as_the_pace(n: int) -> None:
    """Executions back to back at first, then one a second: the period is the second."""
    burst = [FIRST_AGAIN + 20 * k for k in range(n)]
    starts = [*burst, *every(1000, since=FIRST_AGAIN + 1000)]
    seen = measure(build(activity(1, starts, duration_ms=10), workflows=1))
    assert (seen.kind, seen.period_ms) == (Again.ENDLESS, 1000)


def test_what_began_after_the_blow_or_ended_before_it_was_not_in_flight() -> None:
    """In flight is what surely ran across the blow."""
    before = execution(1, BLOW - 3000, 2000, 1)
    across = execution(2, BLOW - 1000, 2000, 1)
    just_begun = execution(3, BLOW, 2000, 1)
    just_ended = execution(4, BLOW - 2000, 2001, 1)
    after = execution(5, BLOW + 1, 2000, 1)
    evidence = build([before, across, just_begun, just_ended, after], workflows=5)
    assert in_flight_at(evidence.executions, BLOW) == {("execution-2", "3"), ("execution-3", "3")}


def test_draining_is_not_part_of_the_observation() -> None:
    """Executions after the observation's end change nothing."""
    runs = activity(1, [FIRST_AGAIN, UNTIL + 500])
    assert measure(build(runs, workflows=1)).kind is Again.ONCE


def test_the_steady_window_is_the_end_of_the_observation() -> None:
    """It is ten seconds at most, and never begins before the first re-execution."""
    long = build(activity(1, every(2000)), workflows=1)
    assert steady_window(long) == (UNTIL - 10_000, UNTIL)
    short = build(activity(1, []), workflows=1, first_again_unix_ms=UNTIL - 3000)
    assert steady_window(short) == (UNTIL - 3000, UNTIL)


def test_long_executions_get_a_longer_window() -> None:
    """The pace of a ten-second activity is measured over more than ten seconds."""
    evidence = build(activity(1, every(10_010), duration_ms=10_000), workflows=1)
    assert steady_window(evidence) == (FIRST_AGAIN, UNTIL)
    assert measure(evidence).period_ms == 10_010


def test_chains_side_by_side_are_counted() -> None:
    """A late result doubles an activity: two executions at once, at twice the pace."""
    starts = sorted([*every(10_000), *every(10_000, since=FIRST_AGAIN + 2400)])
    seen = measure(build(activity(1, starts, duration_ms=9_990), workflows=1))
    assert (seen.kind, seen.side_by_side) == (Again.ENDLESS, 2)
    assert seen.period_ms == pytest.approx(5000, rel=0.2)
    single = measure(build(activity(1, every(2000), duration_ms=2000), workflows=1))
    assert single.side_by_side == 1


@pytest.mark.parametrize("again", [Again.NEVER, Again.ONCE])
def test_few_executions_are_counted_not_guessed(again: Again) -> None:
    """None is never, one is once."""
    starts = [] if again is Again.NEVER else [FIRST_AGAIN]
    assert measure(build(activity(1, starts), workflows=1)).kind is again
