"""Laws of following one of OpenAI's streamed answers."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from budget.calls.providers.openai_stream import ChatStream
from metering.sse import DONE, EventParser, encode_event
from metering.usage import Usage

WORDS = [encode_event(json.dumps({"choices": [{"delta": {"content": w}}]})) for w in "abc"]
USAGE = encode_event(
    json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
)
STREAM = b"".join([*WORDS, USAGE, DONE])


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12), wants_usage=st.booleans())
def test_any_split_of_the_bytes_reads_the_same(cuts: list[int], *, wants_usage: bool) -> None:
    """Every event passes, in order; the usage only to whom asked for it; it is always read."""
    edges = [0, *sorted(cuts), len(STREAM)]
    reader = ChatStream("gpt-4", 100, wants_usage=wants_usage)
    passed = b"".join(reader.feed(STREAM[start:end]) for start, end in pairwise(edges))
    assert passed == (STREAM if wants_usage else STREAM.replace(USAGE, b""))
    assert reader.usage == reader.final_usage == Usage(3, 0, 2)


def test_running_totals_are_not_final() -> None:
    """Usage beside words counts once the stream is whole, not before, nor when it breaks off."""
    chunk = {"choices": [{"delta": {"content": "a"}}]}
    first = chunk | {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    reader = ChatStream("gpt-4", 100, wants_usage=False)
    passed = reader.feed(encode_event(json.dumps(first)))
    assert [json.loads(e.data) for e in EventParser().feed(passed)] == [first]
    counts = [reader.usage]
    reader.feed(DONE)
    assert [*counts, reader.usage] == [None, Usage(3, 0, 1)]
    assert reader.final_usage is None


def finish(index: int) -> bytes:
    """Encode a choice's last chunk."""
    choice = {"index": index, "delta": {}, "finish_reason": "stop"}
    return encode_event(json.dumps({"choices": [choice]}))


def test_every_choice_must_have_finished() -> None:
    """The usage of two answers counts when both have a finish reason; words are none."""
    reader = ChatStream("gpt-4", 100, wants_usage=False, choices=2)
    words = {"choices": [{"delta": {"content": '"finish_reason": "stop"'}}]}
    for chunk in (USAGE, encode_event(json.dumps(words)), finish(0), finish(0)):
        reader.feed(chunk)
        assert reader.usage is None
    reader.feed(finish(1))
    assert reader.usage == reader.final_usage == Usage(3, 0, 2)


def test_usage_that_can_not_be_priced_is_no_usage() -> None:
    """Audio tokens after a plain count void that count."""
    audio = {"prompt_tokens": 3, "completion_tokens": 2}
    odd = audio | {"completion_tokens_details": {"audio_tokens": 1}}
    reader = ChatStream("gpt-4", 100, wants_usage=True)
    reader.feed(USAGE)
    reader.feed(encode_event(json.dumps({"choices": [], "usage": odd})))
    assert reader.usage is None
    assert reader.final_usage is None


def test_words_that_mention_usage_are_words() -> None:
    """Only the field counts, and a null one is none."""
    chunk = {"choices": [{"delta": {"content": '"usage"'}}], "usage": None}
    event = encode_event(json.dumps(chunk))
    reader = ChatStream("gpt-4", 100, wants_usage=False)
    assert reader.feed(event) == event
    assert reader.usage is None


def test_all_that_was_generated_is_counted() -> None:
    """Words of every choice, refusals, reasoning and the arguments of tools: 5 tokens."""
    called = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "x"}}]}
    deltas = [{"content": "a"}, {"refusal": "b"}, {"reasoning_content": "c"}, called, {}]
    choices = [{"index": n, "delta": delta} for n, delta in enumerate(deltas)]
    reader = ChatStream("gpt-4", 0, wants_usage=True, choices=5)
    for choice in choices:
        reader.feed(encode_event(json.dumps({"choices": [choice]})))
    assert reader.meter.bound == len("abcfx")


def test_what_is_no_chunk_passes() -> None:
    """Whatever is odd about an event, its bytes are the client's."""
    reader = ChatStream("gpt-4", 1, wants_usage=False)
    for odd in ("nope", "[]", '{"choices": 3}', '{"choices": [4, {"delta": 5}]}', '"x"'):
        event = encode_event(odd)
        assert reader.feed(event) == event
    assert reader.usage is None
