from hypothesis import given
from hypothesis import strategies as st

from workflow_app.feed import Feed, first_seq


def test_a_reader_that_follows_sees_everything_once() -> None:
    """Page by page, from the beginning, each entry comes once and in order."""
    feed = Feed(limit=100, first=1)
    for number in range(10):
        feed.append({"n": number})
    seen, cursor = [], 0
    while (page := feed.read(cursor, 3)).entries:
        seen += [entry["n"] for entry in page.entries]
        cursor = page.next
    assert seen == list(range(10))


@given(entries=st.integers(0, 30), limit=st.integers(1, 10), after=st.integers(0, 35))
def test_what_is_dropped_is_told(entries: int, limit: int, after: int) -> None:
    """Entries newer than the cursor are either returned or counted as dropped."""
    feed = Feed(limit=limit, first=1)
    for number in range(1, entries + 1):
        feed.append({"n": number})
    page = feed.read(after, 1_000)
    assert len(page.entries) + page.dropped == max(0, entries - after)
    assert [entry["seq"] for entry in page.entries] == [entry["n"] for entry in page.entries]


def test_an_empty_answer_keeps_the_cursor() -> None:
    """A reader at the end stays there."""
    feed = Feed(limit=3, first=1)
    feed.append({})
    assert feed.read(1, 10).next == 1


def test_a_restarted_process_begins_above_its_former_life() -> None:
    """A reader's old cursor hides nothing of a new process."""
    former = Feed(limit=10, first=first_seq(1_000))
    former.append({})
    cursor = former.read(0, 10).next
    later = Feed(limit=10, first=first_seq(1_001))
    later.append({"n": "new"})
    page = later.read(cursor, 10)
    assert [entry["n"] for entry in page.entries] == ["new"]
    assert page.dropped == 0
