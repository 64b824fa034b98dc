"""Laws of following one of Anthropic's streamed answers."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.calls.providers.anthropic_stream import MessagesStream
from metering.sse import encode_event
from metering.usage import Usage

MODEL = "claude-sonnet-4-5"


def event(kind: str, **fields: Any) -> bytes:
    """Encode an event."""
    return encode_event(json.dumps({"type": kind, **fields}), kind)


def text(words: str) -> bytes:
    """Encode some words."""
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": words})


PROMPT = {"input_tokens": 7, "cache_read_input_tokens": 5, "output_tokens": 1}
START = event("message_start", message={"usage": PROMPT})
TOTAL = event("message_delta", delta={}, usage={"output_tokens": 30, "input_tokens": None})
STOP = event("message_stop")
STREAM = b"".join([START, event("ping"), text("one "), text("two"), TOTAL, STOP])


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_of_the_bytes_reads_the_same(cuts: list[int]) -> None:
    """Every byte passes at once, and the cumulative count replaces that of the start."""
    reader = MessagesStream(MODEL, 30)
    for start, end in pairwise([0, *sorted(cuts), len(STREAM)]):
        assert reader.feed(STREAM[start:end]) == STREAM[start:end]
    assert reader.usage == reader.final_usage == Usage(12, 5, 30)
    assert reader.meter.bound == len("one two")


@pytest.mark.parametrize(
    "parts",
    [
        [START, text("one"), TOTAL],
        [START, STOP],
        [TOTAL, STOP],
        [START, TOTAL, event("error", error={"type": "overloaded_error"})],
        [START, b"data: nope\n\n", TOTAL, STOP],
        [START, event("message_delta", usage={"output_tokens": -3}), STOP],
        [START, event("message_delta", usage={"output_tokens": 3, "speed": "fast"}), STOP],
    ],
)
def test_a_stream_that_is_not_whole_or_can_not_be_priced_has_no_usage(parts: list[bytes]) -> None:
    """No stop, no total, no prompt, an error, a broken event, nonsense, another price."""
    reader = MessagesStream(MODEL, 30)
    for part in parts:
        reader.feed(part)
    assert reader.usage is None


def test_a_later_total_replaces_an_earlier_one() -> None:
    """Counts are cumulative: they are never added up."""
    reader = MessagesStream(MODEL, 30)
    more = {"output_tokens": 31, "input_tokens": 9, "cache_creation_input_tokens": 2}
    for part in (START, TOTAL, event("message_delta", usage=more), STOP):
        reader.feed(part)
    assert reader.usage == Usage(16, 5, 31, 2)


def test_thinking_and_tool_input_are_counted_too() -> None:
    """They are output tokens like words are."""
    reader = MessagesStream(MODEL, 30)
    for delta in ({"thinking": "hm"}, {"partial_json": '{"a":'}, {"signature": "never"}):
        reader.feed(event("content_block_delta", index=0, delta=delta))
    assert reader.meter.bound == len('hm{"a":')
