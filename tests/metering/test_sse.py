from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import SseError
from metering.sse import DONE, DONE_DATA, Event, EventParser, encode_event

_STREAM = st.lists(
    st.sampled_from(
        [
            *(b"data: a\n\n", b"data: b\r\n\r\n", b"data: c\r\r", b"event: ping\ndata: d\n\n"),
            *(b": comment\n", b"\n", b"\r", b"\r\n", b"data\n\n", b"data:x\ndata: y\n\n"),
            *(b"id: 7\nretry: 5\ndata: \xf0\x9f\x98\x80\n\n", b"data: cut", b"\xef\xbb\xbf"),
        ]
    ),
    max_size=12,
).map(b"".join)


@given(stream=_STREAM, cuts=st.lists(st.integers(0, 200), max_size=20))
def test_events_do_not_depend_on_how_the_bytes_arrive(stream: bytes, cuts: list[int]) -> None:
    """Any split of a stream, inside a character or a line end, gives the events of the whole."""
    parser = EventParser()
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(bounds)]
    events = [event for piece in pieces for event in parser.feed(piece)]
    assert events == EventParser().feed(stream)


@given(st.lists(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]))))
def test_what_is_encoded_is_parsed_back(texts: list[str]) -> None:
    """Every text, of many lines or none, comes back as the data of one event."""
    stream = b"".join(encode_event(text) for text in texts)
    assert EventParser().feed(stream) == [Event(text) for text in texts]


def test_the_type_of_an_event_is_kept() -> None:
    """`event:` names the type; without it an event is a message."""
    assert EventParser().feed(encode_event("x", "ping") + DONE) == [
        Event("x", "ping"),
        Event(DONE_DATA),
    ]


def test_an_event_that_the_end_cuts_off_is_not_returned() -> None:
    """Only an empty line completes an event."""
    assert EventParser().feed(b"data: whole\n\ndata: half\n") == [Event("whole")]


@pytest.mark.parametrize("line", [b"data: " + b"x" * 200, b"data: xxxxxxxxx\n" * 20])
def test_an_endless_event_is_refused(line: bytes) -> None:
    """Neither one long line nor many short ones grow the parser past its bound."""
    parser = EventParser(max_event_bytes=100)
    with pytest.raises(SseError, match="100 bytes"):
        parser.feed(line)
