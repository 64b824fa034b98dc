import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fake_llm.answers import Answer
from fake_llm.routes.messages.encoding import MessagesStream, plain_body
from metering.messages import read_event, read_usage
from metering.sse import EventParser
from metering.usage import Usage

_WORDS = ["Once", " upon", " time", " until", " home"]
_MODELS = st.text(max_size=20)


def _stream(model: str, words: list[str]) -> MessagesStream:
    return MessagesStream(Answer(model, words, "length", 7), "msg_1")


@given(model=_MODELS, cuts=st.sets(st.integers(1, 4)))
def test_pieces_make_the_same_stream_however_it_is_cut(model: str, cuts: set[int]) -> None:
    """One write or five: the bytes are the same."""
    stream = _stream(model, _WORDS)
    pieces = [stream.piece(a, b) for a, b in pairwise([0, *sorted(cuts), 5])]
    assert b"".join(pieces) == stream.piece(0, 5)


@given(model=_MODELS)
def test_a_stream_has_every_event_in_anthropics_order(model: str) -> None:
    """Message, block, ping, words, ends; the type of an event is that of its data."""
    events = EventParser().feed(_stream(model, _WORDS).piece(0, 5))
    assert [event.event for event in events] == [
        *("message_start", "content_block_start", "ping"),
        *["content_block_delta"] * 5,
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    documents = [json.loads(event.data) for event in events]
    assert [document["type"] for document in documents] == [event.event for event in events]
    assert [text for event in events if (text := read_event(event.data).text)] == _WORDS
    message = documents[0]["message"]
    assert (message["id"], message["model"], message["content"]) == ("msg_1", model, [])
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (7, 0)
    assert documents[-2]["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    assert read_usage(json.dumps(documents[-2])) == Usage(7, 0, 5)


def test_an_answer_without_words_has_no_block() -> None:
    """`max_tokens` of 0 asks for one."""
    events = EventParser().feed(_stream("claude", []).piece(0, 0))
    assert [event.event for event in events] == [
        *("message_start", "ping", "message_delta", "message_stop")
    ]


@given(words=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=5))
def test_words_of_any_kind_come_through(words: list[str]) -> None:
    """Quotes, line ends and other scripts are escaped where JSON asks for it."""
    events = EventParser().feed(_stream("claude", words).piece(0, len(words)))
    assert [text for event in events if (text := read_event(event.data).text)] == words


def test_a_plain_body_holds_text_reason_and_usage() -> None:
    """The words joined, and the usage of all of them."""
    body = plain_body(Answer("claude", _WORDS, "stop", 7), "msg_1")
    document = json.loads(body)
    assert document["content"] == [{"type": "text", "text": "Once upon time until home"}]
    assert document["stop_reason"] == "end_turn"
    assert read_usage(body) == Usage(7, 0, 5)
