import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.projection import PUBLISHED, Volume, extrapolate

COUNTS = st.integers(0, 10**9)


def test_ten_seconds_of_fifty_workflows_are_the_published_month() -> None:
    """50 calls of $0.03 within 10 s are drawn out to exactly the published reading."""
    seen = extrapolate(calls=50, nano_usd=50 * 30_000_000, window_ms=10_000)
    published = {reading.name: reading for reading in seen.published}["scale-030"]
    assert seen.per_hour == published.per_hour == Volume(18_000, 540 * 10**9)
    assert seen.per_day == published.per_day
    assert seen.per_month == published.per_month
    assert seen.published == PUBLISHED


@given(calls=COUNTS, nano_usd=COUNTS, days=st.integers(1, 40))
def test_what_was_counted_for_whole_days_comes_out_again(
    calls: int, nano_usd: int, days: int
) -> None:
    """A window of n days holds n times its own day, up to the rounding of that day."""
    seen = extrapolate(calls=calls, nano_usd=nano_usd, window_ms=days * 86_400_000)
    assert abs(2 * (seen.per_day.calls * days - calls)) <= days
    assert abs(2 * (seen.per_day.nano_usd * days - nano_usd)) <= days
    assert isinstance(seen.per_month.nano_usd, int)


@pytest.mark.parametrize(("calls", "nano_usd", "window_ms"), [(1, 1, 0), (-1, 1, 1), (1, -1, 1)])
def test_what_cannot_be_measured_is_refused(calls: int, nano_usd: int, window_ms: int) -> None:
    """A window without length and negative counts raise, naming what they are."""
    with pytest.raises(ValueError, match="must"):
        extrapolate(calls=calls, nano_usd=nano_usd, window_ms=window_ms)
