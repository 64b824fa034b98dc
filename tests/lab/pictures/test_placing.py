from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from lab.pictures.placing import Box, Placer, spread, words_box

PLOT = Box(0, 0, 400, 300)


@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.floats(0, 300), st.text("abc: ", min_size=1, max_size=30)),
        max_size=20,
    )
)
def test_words_never_lie_on_one_another(wanted: list[tuple[float, float, str]]) -> None:
    """Words that get a place are within the plot and clear of all others."""
    placer = Placer(PLOT, 14)
    placed = [placer.beside(x, y, text) for x, y, text in wanted]
    boxes = [words_box(words, 14) for words in placed if words is not None]
    assert all(box.is_within(PLOT) for box in boxes)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_words_keep_off_a_curve_where_they_can() -> None:
    """Of several free places the one that hides least of a curve is taken."""
    below = [(100.0 + n, 115.0) for n in range(200)]
    words = Placer(PLOT, 14, below).beside(100, 100, "runs again")
    assert words is not None
    assert not any(words_box(words, 14).holds(*point) for point in below)


def test_words_without_room_are_left_out() -> None:
    """Words wider than the plot get no place."""
    assert Placer(PLOT, 14).beside(200, 150, "x" * 100) is None


@given(st.lists(st.floats(0, 300), min_size=1, max_size=10))
def test_spread_keeps_the_order_and_the_gap(wanted: list[float]) -> None:
    """Names at the ends of lines stand in the lines' order, a gap apart, none below the lowest."""
    placed = spread(wanted, 20, 0, 300)
    ordered = [y for _, y in sorted(zip(wanted, placed, strict=True))]
    assert all(later - earlier >= 20 - 1e-6 for earlier, later in pairwise(sorted(ordered)))
    assert ordered == sorted(ordered)
    assert max(placed) <= 300 + 1e-6
