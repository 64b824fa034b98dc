from hypothesis import given
from hypothesis import strategies as st

from lab.pictures.scales import Scale, count_ticks, money_ticks, round_step, time_ticks


@given(st.integers(1, 10**18), st.integers(1, 12))
def test_a_step_is_round_and_the_smallest_that_suffices(span: int, most: int) -> None:
    """A step is 1, 2 or 5 times a power of ten; the next smaller one would be too small."""
    step = round_step(span, most)
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert step * most >= span
    digit = int(str(step)[0])
    smaller = step // 2 if digit in {1, 2} else step * 2 // 5
    assert smaller == 0 or smaller * most < span


def test_an_axis_of_money_names_exact_amounts_alike() -> None:
    """Every amount is exact, all have the same decimals, and the last is no less than the most."""
    assert [text for _, text in money_ticks(1_152_000_000, 6)] == [
        *("$0.00", "$0.20", "$0.40", "$0.60", "$0.80", "$1.00", "$1.20")
    ]
    assert [text for _, text in money_ticks(3_072_000_000, 6)] == ["$0", "$1", "$2", "$3", "$4"]
    assert [text for _, text in money_ticks(1, 5)][1] == "$0.001"
    assert [text for _, text in money_ticks(12_000 * 10**9, 6)][-1] == "$12k"


@given(st.integers(0, 10**15))
def test_an_axis_of_money_reaches_the_highest_amount(high: int) -> None:
    """What is drawn never lies above the axis, and the axis stays short."""
    ticks = money_ticks(high, 6)
    assert ticks[0][0] == 0
    assert ticks[-1][0] >= high
    assert 2 <= len(ticks) <= 7


def test_an_axis_of_counts_names_whole_numbers() -> None:
    """There is no half a workflow."""
    assert count_ticks(1, 4) == [0, 1]
    assert count_ticks(8, 4) == [0, 2, 4, 6, 8]
    assert count_ticks(0, 4) == [0, 1]


def test_an_axis_of_time_takes_the_unit_of_its_steps() -> None:
    """A minute is named in seconds, an hour in minutes, a day in hours; zero is among them."""
    assert time_ticks(-7700, 44_000, 12)[:2] == [(-5000, "-5 s"), (0, "0 s")]
    assert (600_000, "10 min") in time_ticks(-5000, 3_600_000, 10)
    assert (21_600_000, "6 h") in time_ticks(-5000, 86_400_000, 6)


@given(st.integers(-(10**6), 0), st.integers(1, 10**8), st.integers(2, 20))
def test_an_axis_of_time_names_few_moments(low: int, high: int, most: int) -> None:
    """However long a run is, its moments are few and lie within it."""
    at = [ms for ms, _ in time_ticks(low, high, most)]
    assert len(at) <= most + 1
    assert all(low <= ms <= high for ms in at)


def test_a_scale_without_a_span_is_no_error() -> None:
    """When all values are one, all are drawn at the beginning."""
    assert Scale(5, 5, 10, 20).at(5) == 10
