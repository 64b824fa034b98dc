from hypothesis import given
from hypothesis import strategies as st

from fake_llm.books.journal import CallRecord, Journal
from metering.identity import CallerIdentity
from metering.usage import Usage


def _fill(journal: Journal, count: int) -> None:
    for _ in range(count):
        seq = journal.next_seq
        who = CallerIdentity()
        journal.append(
            CallRecord(seq, 0, 0, "m", who, False, Usage(1, 0, 1), seq, False, "completed")  # noqa: FBT003  # a tuple's fields
        )


@given(
    kept=st.integers(1, 12),
    before=st.integers(0, 30),
    count=st.integers(0, 30),
    after=st.integers(0, 70),
    limit=st.integers(1, 40),
)
def test_a_page_is_what_a_list_would_give(
    kept: int, before: int, count: int, after: int, limit: int
) -> None:
    """Entries after the cursor that are still kept, those that are not counted, over a reset."""
    journal = Journal(kept)
    _fill(journal, before)
    journal.clear()
    _fill(journal, count)
    since_reset = list(range(before + 1, before + count + 1))
    asked = [seq for seq in since_reset if seq > after]
    held = [seq for seq in since_reset[-kept:] if seq > after]
    page = journal.page(after, limit)
    assert [call.seq for call in page.calls] == held[:limit]
    assert page.dropped == len(asked) - len(held)


@given(kept=st.integers(1, 50), counts=st.lists(st.integers(0, 20), max_size=10))
def test_a_reader_who_keeps_up_sees_every_call_once(kept: int, counts: list[int]) -> None:
    """Following `next` gives each entry once and in order; what was missed is in `dropped`."""
    journal, cursor, seen, dropped = Journal(kept), 0, 0, 0
    for count in counts:
        _fill(journal, count)
        while (page := journal.page(cursor, 7)).calls or page.dropped:
            seen += len(page.calls)
            dropped += page.dropped
            assert all(call.seq > cursor for call in page.calls)
            cursor = page.next
    assert seen + dropped == sum(counts)
    assert cursor == sum(counts)


def test_a_cursor_from_the_future_is_brought_back() -> None:
    """A reader that outlived the service's last start goes on from what there is."""
    journal = Journal(10)
    _fill(journal, 3)
    assert journal.page(500, 10) == ([], 3, 0)
