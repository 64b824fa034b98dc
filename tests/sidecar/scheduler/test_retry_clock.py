"""The retry clock, against a naive model and against what was recorded on real Dapr."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.retry_clock import (
    DEFAULT_POLICY,
    DROP_POLICY,
    SECOND_US,
    RetryClock,
    RetryPolicy,
)
from tests.support.services import ROOT

FOREVER = RetryPolicy(SECOND_US, None)


def executions(*, absent_us: int, activity_us: int, until_us: int) -> list[int]:
    """Run a job that always fails, due at 0, with a sidecar from `absent_us` on."""
    clock: RetryClock | None = RetryClock(FOREVER, 0)
    now_us, starts = absent_us, []
    while clock is not None and (now_us := max(now_us, clock.next_us)) < until_us:
        assert clock.is_due(now_us)
        starts.append(now_us)
        now_us += activity_us
        clock = clock.failed()
    return starts


@given(
    due_us=st.integers(-(10**17), 10**17),
    interval_us=st.integers(0, 10**10),
    failures=st.integers(0, 200),
)
def test_next_is_counted_from_the_due_time(due_us: int, interval_us: int, failures: int) -> None:
    """After n failures the next time is the due time and n intervals, whenever they came."""
    clock = RetryClock(RetryPolicy(interval_us, None), due_us)
    for _ in range(failures):
        following = clock.failed()
        assert following is not None
        clock = following
    assert (clock.next_us, clock.attempts) == (due_us + failures * interval_us, failures)


@given(
    absent_s=st.integers(0, 30),
    durations_us=st.lists(st.integers(1, 3 * SECOND_US), min_size=1, max_size=60),
)
def test_against_a_naive_model(absent_s: int, durations_us: list[int]) -> None:
    """Ticks come once a second from the due time; each is run when its turn comes, none is lost."""
    ticks = [number * SECOND_US for number in range(len(durations_us))]
    free_us, expected = absent_s * SECOND_US, []
    for tick_us, duration_us in zip(ticks, durations_us, strict=True):
        expected.append(max(free_us, tick_us))
        free_us = expected[-1] + duration_us
    clock: RetryClock | None = RetryClock(FOREVER, 0)
    now_us, starts = absent_s * SECOND_US, []
    for each in durations_us:
        assert clock is not None
        starts.append(max(now_us, clock.next_us))
        now_us = starts[-1] + each
        clock = clock.failed()
    assert starts == expected


@given(limit=st.integers(0, 20))
def test_max_retries_counts_deliveries_after_the_first_failed_one(limit: int) -> None:
    """A job with n retries is delivered n + 1 times."""
    clock: RetryClock | None = RetryClock(RetryPolicy(SECOND_US, limit), 0)
    deliveries = 0
    while clock is not None:
        deliveries += 1
        clock = clock.failed()
    assert deliveries == limit + 1


def test_policies_of_dapr() -> None:
    """A dropped job is delivered once; without a policy there are three retries, 1 s apart."""
    assert RetryClock(DROP_POLICY, 0).failed() is None
    assert RetryPolicy(SECOND_US, 3) == DEFAULT_POLICY


def test_a_short_activity_runs_once_a_second_for_ever() -> None:
    """The steady period of a 0.2-s activity is 1.00 s: 3,600 executions an hour."""
    hour_us = 3600 * SECOND_US
    assert len(executions(absent_us=0, activity_us=200_000, until_us=hour_us)) == 3600


def test_a_long_activity_runs_back_to_back() -> None:
    """The steady period of a 10-s activity is 10 s: 50 of them make 18,000 executions an hour."""
    hour_us = 3600 * SECOND_US
    single = executions(absent_us=12 * SECOND_US, activity_us=10 * SECOND_US, until_us=hour_us)
    assert 50 * len(single) == pytest.approx(18_000, rel=0.01)


def test_an_absence_is_made_up_for() -> None:
    """Five seconds of absence are five executions within the first second, then the burst ends."""
    starts = executions(absent_us=5 * SECOND_US, activity_us=200_000, until_us=12 * SECOND_US)
    first_second = [each for each in starts if each < 6 * SECOND_US]
    assert len(first_second) == 5
    assert [b - a for a, b in zip(starts[-4:], starts[-3:], strict=False)] == [SECOND_US] * 3


@pytest.mark.parametrize(
    "scenario", ["flushall", "partial_metadata", "runaway_2s", "runaway_02s_burst"]
)
def test_recorded_loops(scenario: str) -> None:
    """On real 1.16.1 redelivery n never comes before due + n s, and keeps to it after the burst.

    The first delivery is cut with the sidecar: it counts for nothing, n begins at 0 after it.
    """
    trace = ROOT / "tests" / "data" / "dapr-traces" / "1.16.1" / f"{scenario}.jsonl"
    lines = [json.loads(each) for each in trace.read_text().splitlines()]
    due_s, *redelivered = [
        each["t"]
        for each in lines
        if each["dir"] == "sidecar->app" and "activityRequest" in each.get("message", {})
    ]
    clock = RetryClock(FOREVER, int(due_s * SECOND_US))
    late_by = []
    for start_s in redelivered:
        late_by.append(start_s - clock.next_us / SECOND_US)
        following = clock.failed()
        assert following is not None
        clock = following
    assert min(late_by) > -0.01
    if scenario in {"flushall", "partial_metadata"}:
        assert abs(late_by[-1]) < 0.01
