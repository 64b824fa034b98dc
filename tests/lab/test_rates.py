from hypothesis import given
from hypothesis import strategies as st

from lab.rates import WINDOW_MS, again_per_window
from tests.lab.evidence_builder import BLOW, FIRST_AGAIN, UNTIL, activity, build, every


def test_executions_that_come_again_are_counted_in_whole_windows_of_ten_seconds() -> None:
    """Two activities, one execution each two seconds: ten in each window, the torn last one not."""
    arm = build(activity(1, every(2000)) + activity(2, every(2000)))
    assert again_per_window(arm) == (10, 10)


@given(st.lists(st.integers(FIRST_AGAIN, UNTIL + 5000), min_size=1, max_size=60))
def test_no_execution_is_counted_twice(starts: list[int]) -> None:
    """The windows hold each execution of the observation at most once, none after their end."""
    counts = again_per_window(build(activity(1, sorted(starts)), workflows=1))
    within = [s for s in starts if s - min(starts) < len(counts) * WINDOW_MS]
    assert sum(counts) == len([s for s in within if s <= UNTIL])


def test_without_a_redelivery_there_is_no_window() -> None:
    """Nothing came again, so nothing is counted from its beginning."""
    arm = build(activity(1, []), workflows=1)
    assert again_per_window(arm) == ()
    assert arm.disrupted.began_unix_ms == BLOW
