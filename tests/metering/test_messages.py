from typing import Any

import pytest

from metering.errors import RequestError, UncountableContentError, UsageError
from metering.messages import (
    error_body,
    message_body,
    parse_messages_request,
    read_event,
    read_usage,
)
from metering.prices import PriceBook
from metering.usage import Usage
from metering.wire import encode_json

_HELLO = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "hello"}],
}


def _body(**fields: Any) -> bytes:
    return encode_json({**_HELLO, **fields})


def _content(*blocks: dict[str, Any]) -> bytes:
    return _body(messages=[{"role": "user", "content": list(blocks)}])


def test_every_bad_field_is_named_at_once() -> None:
    """One message tells of all that is wrong; `param` is the first."""
    with pytest.raises(RequestError) as caught:
        parse_messages_request(
            b'{"messages": [{"role": "tool", "content": 3}, {"role": "user", "content":'
            b' [{"type": "text"}]}], "temperature": 2, "system": 7}'
        )
    assert [line.split(": ")[0] for line in caught.value.message.split("; ")] == [
        "model",
        "messages.0.role",
        "messages.0.content",
        "messages.1.content.0",
        "max_tokens",
        "system",
        "temperature",
    ]
    assert caught.value.param == "model"


def test_a_prompt_is_bounded_by_its_bytes() -> None:
    """64 for the prompt, 16 each for the message and its block, 5 for `hello`."""
    assert parse_messages_request(_body()).prompt_upper_bound(None) == 64 + 16 + 16 + 5


def test_system_blocks_tools_and_formats_are_part_of_the_prompt() -> None:
    """Each adds its text, and tools a prompt that only Anthropic sees."""
    plain = parse_messages_request(_body()).prompt_upper_bound(None)
    system = parse_messages_request(_body(system=[{"type": "text", "text": "be brief"}]))
    assert system.prompt_upper_bound(None) == plain + 16 + 8
    tools = parse_messages_request(_body(tools=[{"name": "f"}]))
    assert tools.prompt_upper_bound(None) == plain + 1024 + 16 + len('{"name":"f"}')
    shape = {"format": {"type": "json_schema"}}
    formatted = parse_messages_request(_body(output_config=shape))
    assert formatted.prompt_upper_bound(None) == plain + 1024 + 16 + len('{"type":"json_schema"}')


def test_every_text_of_a_block_counts() -> None:
    """A tool's use is its JSON, its result all that is in it."""
    used = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    inner = [{"type": "text", "text": "four"}]
    got = {"type": "tool_result", "tool_use_id": "t", "content": inner, "is_error": True}
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    hidden = {"type": "redacted_thinking", "data": "data"}
    request = parse_messages_request(_content(used, got, thought, hidden))
    texts = [1, 1, len('{"a":1}'), 1, 4, 2, 3, 4]
    assert request.prompt_upper_bound(None) == 64 + 16 + sum(16 + size for size in texts)
    assert request.unpriced_features() == []


def test_an_image_counts_as_its_bound_wherever_it_is() -> None:
    """In a message or in a tool's result; without a bound it is refused."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}}
    nested = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    request = parse_messages_request(_content(image, nested))
    assert request.images() == 2
    assert request.prompt_upper_bound(1600) == 64 + 16 + (16 + 1) + 2 * (16 + 1600)
    with pytest.raises(UncountableContentError, match="images"):
        request.prompt_upper_bound(None)


def test_text_under_the_field_of_another_block_is_named() -> None:
    """It would not be counted, so it is refused."""
    image = {"type": "image", "source": {"type": "url", "url": "u"}, "text": "a" * 999}
    request = parse_messages_request(_content(image, {"type": "text", "text": "", "data": "a"}))
    assert request.unpriced_features() == ["messages.0.content.0.text", "messages.0.content.1.data"]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "text", "data": "x"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "image"},
        {"type": "image", "source": {"type": ["url"]}},
        {"type": "server_tool_use", "name": "web_search", "input": {}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document"}]},
    ],
)
def test_what_its_bytes_do_not_bound_is_refused(block: dict[str, Any]) -> None:
    """Documents, files, and what tools of Anthropic's own leave behind."""
    with pytest.raises(UncountableContentError):
        parse_messages_request(_content(block)).prompt_upper_bound(1600)


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, ["tools.0"]),
        ({"tools": [{"name": "f", "defer_loading": True}]}, ["tools.0"]),
        ({"tools": [{"name": "f", "type": []}]}, ["tools.0"]),
        ({"service_tier": "priority"}, ["service_tier"]),
        ({"inference_geo": "us"}, ["inference_geo"]),
        ({"speed": "fast"}, ["speed"]),
        ({"container": "c", "mcp_servers": [{}]}, ["container", "mcp_servers"]),
        ({"context_management": {"edits": []}}, ["context_management"]),
        ({"thinking": {"type": "adaptive", "depth": 3}}, ["thinking.depth"]),
        ({"system": [{"type": "text", "text": "a", "x": 1}]}, ["system.0.x"]),
    ],
)
def test_what_tokens_do_not_pay_for_is_named(fields: dict[str, Any], features: list[str]) -> None:
    """A field that is not known to cost nothing may cost anything."""
    assert parse_messages_request(_body(**fields)).unpriced_features() == features


def test_ordinary_fields_cost_nothing_of_their_own() -> None:
    """Sampling, stops, functions, thinking, cache marks, and whatever is null."""
    marked = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    called = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    content = [
        {"type": "text", "text": "hi", "citations": None, **marked},
        {**called, "caller": {"type": "direct"}},
    ]
    ordinary = {
        "messages": [{"role": "user", "content": content}],
        "system": "s",
        "stream": True,
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 3,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "tools": [
            {"name": "f", "description": "d", "input_schema": {}, "type": "custom", **marked}
        ],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 9, "display": "omitted"},
        "output_config": {"effort": "low"},
        "service_tier": "standard_only",
        "inference_geo": "global",
        "speed": "standard",
        "container": None,
        **marked,
    }
    assert parse_messages_request(_body(**ordinary)).unpriced_features() == []


def test_thinking_is_within_max_tokens() -> None:
    """A budget as large as the limit would not be bounded by it."""
    thinking = {"type": "enabled", "budget_tokens": 10}
    with pytest.raises(RequestError, match="less than max_tokens"):
        parse_messages_request(_body(thinking=thinking))


def test_anthropics_prompt_count_leaves_the_cache_out() -> None:
    """700 + 100 read + 150 and 50 written are 1,000 input tokens, and cost what each costs.

    700 x 3,000 + 100 x 300 + 150 x 3,750 + 50 x 6,000 + 40 x 15,000 = 3,592,500 nano-dollars.
    """
    usage = {
        "input_tokens": 700,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 200,
        "cache_creation": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
        "output_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 30},
        "service_tier": "standard",
    }
    read = read_usage(encode_json({"usage": usage}))
    assert read == Usage(1000, 100, 40, 150, 50, 30)
    assert PriceBook().unit_price("claude-sonnet-4-5").cost(read) == 3_592_500


@pytest.mark.parametrize(
    ("counts", "writes"),
    [
        ({"cache_creation_input_tokens": 9}, (9, 0)),
        ({"cache_creation_input_tokens": 9, "cache_creation": {}}, (0, 9)),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 4}}, (0, 4)),
        (
            {
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
            },
            (5, 4),
        ),
    ],
)
def test_writes_that_nothing_explains_are_the_dearer_ones(
    counts: dict[str, Any], writes: tuple[int, int]
) -> None:
    """Without a breakdown they are those of 5 minutes, Anthropic's default."""
    usage = read_usage(encode_json({"usage": {"input_tokens": 1, "output_tokens": 1, **counts}}))
    assert usage is not None
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == writes
    assert usage.input_tokens == 1 + sum(writes)


@pytest.mark.parametrize(
    "odd",
    [
        {"server_tool_use": {"web_search_requests": 1}},
        {"speed": "fast"},
        {"inference_geo": "us"},
        {"input_tokens": -1},
        {"output_tokens": None},
    ],
)
def test_usage_that_cannot_be_priced_is_an_error(odd: dict[str, Any]) -> None:
    """What has a price of its own raises instead of being charged as something else."""
    with pytest.raises(UsageError):
        read_usage(encode_json({"usage": {"input_tokens": 1, "output_tokens": 1, **odd}}))


def test_events_tell_usage_and_text() -> None:
    """The start holds it in its message, a delta beside its own; null counts say nothing."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 3, "x": None}}}
    assert read_event(encode_json(start).decode()).usage == {"input_tokens": 3}
    end = read_event('{"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}}')
    assert (end.type, end.usage, end.text) == ("message_delta", {"output_tokens": 2}, "")
    for name in ("text", "thinking", "partial_json"):
        delta = {"type": "content_block_delta", "index": 0, "delta": {name: "words"}}
        assert read_event(encode_json(delta).decode()).text == "words"
    assert read_event('{"type": "ping"}').usage == {}
    with pytest.raises(UsageError):
        read_event("[DONE]")


def test_an_error_has_anthropics_shape() -> None:
    """A type beside the error, and room for more in it."""
    assert error_body("no", kind="billing_error", code="c") == {
        "type": "error",
        "error": {"type": "billing_error", "message": "no", "code": "c"},
    }


def test_a_message_that_is_built_reads_back_as_its_usage() -> None:
    """Input, cache reads and both kinds of cache writes stand beside one another."""
    usage = Usage(100, 20, 30, cache_write_tokens=7, cache_write_1h_tokens=5)
    body = message_body(
        answer_id="msg_1", model="claude", text="hello", stop_reason="end_turn", usage=usage
    )
    assert body["usage"]["input_tokens"] == 100 - 20 - 7 - 5
    assert body["content"] == [{"type": "text", "text": "hello"}]
    assert read_usage(encode_json(body)) == usage
