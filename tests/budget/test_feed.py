"""Laws of a bounded feed."""

from hypothesis import given
from hypothesis import strategies as st

from budget.feed import Feed


@given(size=st.integers(1, 20), items=st.integers(0, 60), step=st.integers(1, 10))
def test_a_reader_sees_every_item_once_or_is_told_what_it_missed(
    size: int, items: int, step: int
) -> None:
    """What is read and what is dropped add up to what was written."""
    feed: Feed[int] = Feed(size)
    for number in range(1, items + 1):
        feed.append(number)
    seen, dropped, cursor = list[int](), 0, 0
    while (page := feed.read(cursor, step)).items:
        seen += [item for _, item in page.items]
        dropped += page.dropped
        cursor = page.next
    assert seen == list(range(items - min(size, items) + 1, items + 1))
    assert dropped == items - len(seen)
    assert cursor == items


def test_a_cursor_from_the_future_starts_at_the_end() -> None:
    """A cursor of a gateway that ran before is no reason to fail."""
    feed: Feed[str] = Feed(2)
    feed.append("a")
    page = feed.read(99, 10)
    assert (page.items, page.next, page.dropped) == ((), 1, 0)
