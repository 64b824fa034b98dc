import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fake_llm.answers import Answer
from fake_llm.routes.chat.encoding import ChatStream, plain_body
from metering.chat import ChatChunk, read_usage
from metering.sse import DONE_DATA, EventParser
from metering.usage import Usage

_WORDS = ["Once", " upon", " time", " until", " home"]
_MODELS = st.text(max_size=20) | st.sampled_from(
    ['<content>"', "<finish>", '{"mark":"delta"}', '"<finish>"', "ü\n\\"]
)


def _encoder(model: str, *, usage: bool) -> ChatStream:
    return ChatStream(Answer(model, _WORDS, "length", 7), "chatcmpl-1", 5, include_usage=usage)


@given(model=_MODELS, usage=st.booleans(), cuts=st.sets(st.integers(1, 4)))
def test_pieces_make_the_same_stream_however_it_is_cut(
    model: str, *, usage: bool, cuts: set[int]
) -> None:
    """One write or five: the bytes are the same, whatever the model's name holds."""
    encoder = _encoder(model, usage=usage)
    bounds = [0, *sorted(cuts), 5]
    pieces = [encoder.piece(a, b) for a, b in pairwise(bounds)]
    assert b"".join(pieces) == encoder.piece(0, 5)


@given(model=_MODELS, usage=st.booleans())
def test_a_stream_is_role_words_reason_usage_done(model: str, *, usage: bool) -> None:
    """Every event is JSON of the model asked for; the order is OpenAI's."""
    events = EventParser().feed(_encoder(model, usage=usage).piece(0, 5))
    assert events.pop().data == DONE_DATA
    chunks = [json.loads(event.data) for event in events]
    assert {(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks} == {
        ("chatcmpl-1", model, 5)
    }
    if usage:
        last = chunks.pop()
        assert last["choices"] == []
        assert read_usage(json.dumps(last)) == Usage(7, 0, 5)
        assert all(chunk["usage"] is None for chunk in chunks)
    else:
        assert all("usage" not in chunk for chunk in chunks)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        *({"content": word} for word in _WORDS),
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 6 + ["length"]
    assert "".join(ChatChunk.model_validate(chunk).text() for chunk in chunks) == "".join(_WORDS)


def test_a_plain_body_holds_text_and_usage() -> None:
    """The words joined, and the usage of all of them."""
    body = plain_body(Answer("gpt-4", _WORDS, "stop", 7), "chatcmpl-1", 5)
    assert json.loads(body)["choices"][0]["message"]["content"] == "Once upon time until home"
    assert read_usage(body) == Usage(7, 0, 5)


@given(words=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=5))
def test_words_of_any_kind_come_through(words: list[str]) -> None:
    """Quotes, line ends and other scripts are escaped where JSON asks for it."""
    stream = ChatStream(Answer("gpt-4", words, "stop", 7), "chatcmpl-1", 5, include_usage=False)
    events = EventParser().feed(stream.piece(0, len(words)))
    chunks = [ChatChunk.model_validate_json(event.data) for event in events[:-1]]
    assert [text for chunk in chunks if (text := chunk.text())] == words
