"""Laws of a bounded feed."""

from hypothesis import given
from hypothesis import strategies as st

from budget.feed import Feed, first_number


@given(
    size=st.integers(1, 20),
    items=st.integers(0, 60),
    step=st.integers(1, 10),
    first=st.sampled_from([1, first_number(1_760_000_000_000)]),
)
def test_a_reader_sees_every_item_once_or_is_told_what_it_missed(
    size: int, items: int, step: int, first: int
) -> None:
    """What is read and what is dropped add up to what was written; 0 is the beginning."""
    feed: Feed[int] = Feed(size, first=first)
    for number in range(1, items + 1):
        feed.append(number)
    seen, dropped, cursor = list[int](), 0, 0
    while (page := feed.read(cursor, step)).items:
        seen += [item for _, item in page.items]
        dropped += page.dropped
        cursor = page.next
    assert seen == list(range(items - min(size, items) + 1, items + 1))
    assert dropped == items - len(seen)
    assert cursor == (first - 1 + items if items else 0)


def test_a_cursor_from_the_future_starts_at_the_end() -> None:
    """A cursor that nobody gave out is no reason to fail."""
    feed: Feed[str] = Feed(2, first=1)
    feed.append("a")
    page = feed.read(99, 10)
    assert (page.items, page.next, page.dropped) == ((), 1, 0)


def test_a_cursor_of_an_earlier_process_misses_nothing_of_the_next() -> None:
    """500 items in one process, 30 in the one started a second later: all 30 are read."""
    before: Feed[int] = Feed(1000, first=first_number(1_760_000_000_000))
    for number in range(500):
        before.append(number)
    cursor = before.read(0, 1000).next
    after: Feed[int] = Feed(1000, first=first_number(1_760_000_001_000))
    for number in range(30):
        after.append(number)
    page = after.read(cursor, 1000)
    assert ([item for _, item in page.items], page.dropped) == (list(range(30)), 0)
