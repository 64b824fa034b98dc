from fractions import Fraction

from lab.projection.published import PUBLISHED, SCALE_003, SCALE_030, SINGLE
from lab.projection.volume import Volume

USD = 10**9


def test_one_stuck_workflow_costs_what_was_published() -> None:
    """A $0.03 call each 10 s: 360 an hour, 8,640 in 24 h, $259.20."""
    assert SINGLE.per_hour == Volume(360, 10_800_000_000)
    assert SINGLE.per_day == Volume(8_640, 259_200_000_000)
    assert SINGLE.reached_after_days == 1


def test_the_monthly_figure_needs_a_tenth_of_that_price() -> None:
    """50 workflows make 18,000 calls an hour; $38,880 in 30 days needs $0.003 a call."""
    assert SCALE_003.per_hour.calls == 18_000
    assert SCALE_003.per_month == Volume(12_960_000, 38_880 * USD)
    assert SCALE_003.reached_after_days == 30


def test_at_the_price_of_the_first_figure_the_month_is_ten_times_dearer() -> None:
    """At $0.03 a call 30 days cost $388,800, and $38,880 are reached in 3."""
    assert SCALE_030.per_hour.calls == 18_000
    assert SCALE_030.per_month == Volume(12_960_000, 388_800 * USD)
    assert SCALE_030.reached_after_days == Fraction(3)


def test_each_reading_says_what_it_takes_for_granted() -> None:
    """Tokens at $0.03 per 1K are the price of its call, and stand in its assumptions."""
    for reading in PUBLISHED:
        assert reading.nano_usd_per_call == reading.tokens * 30_000
    assert SCALE_003.assumptions == (
        "50 stuck workflows, one call each 10 s, 100 tokens at $0.03 per 1K: $0.003 a call"
    )
    assert SINGLE.assumptions == (
        "one stuck workflow, one call each 10 s, 1,000 tokens at $0.03 per 1K: $0.03 a call"
    )
