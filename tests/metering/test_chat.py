import pytest

from metering.chat import (
    ChatChunk,
    ChatUsage,
    chunk_body,
    completion_body,
    encode_json,
    error_body,
    parse_chat_request,
    read_usage,
    usage_body,
)
from metering.errors import ChatRequestError, UsageError
from metering.usage import Usage

_HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}]}


def _refused(body: bytes) -> ChatRequestError:
    with pytest.raises(ChatRequestError) as caught:
        parse_chat_request(body)
    return caught.value


def test_unknown_fields_pass_through() -> None:
    """A field of tomorrow's API is kept, in the request and in its messages."""
    request = parse_chat_request(encode_json({**_HELLO, "verbosity": "low"}))
    assert request.model_dump(exclude_unset=True) == {**_HELLO, "verbosity": "low"}


def test_every_bad_field_is_named_at_once() -> None:
    """One message tells of all that is wrong; `param` is the first."""
    error = _refused(
        b'{"messages": [{"role": "bot", "content": 3}, {"role": "user"},'
        b' {"role": "user", "content": [{"type": "text"}]}],'
        b' "max_tokens": "5", "n": 0, "stop": 3, "temperature": 9}'
    )
    assert [line.split(": ")[0] for line in error.message.split("; ")] == [
        "model",
        "messages.0.role",
        "messages.0.content",
        "messages.1",
        "messages.2.content.0",
        "max_tokens",
        "n",
        "temperature",
        "stop",
    ]
    assert error.param == "model"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"nope"])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    """A body that can't be parsed is told apart from one with bad fields."""
    error = _refused(body)
    assert "no valid JSON" in error.message
    assert error.param is None


def test_a_body_that_is_no_object_is_refused() -> None:
    """A JSON list is no request."""
    assert "object" in _refused(b"[]").message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": 1, "max_completion_tokens": 1}, "not both"),
        ({"stream_options": {"include_usage": True}}, "only allowed when stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
    ],
)
def test_fields_that_contradict_are_refused(fields: dict[str, object], words: str) -> None:
    """As a provider does: two limits, options of a stream that is none, nothing to say."""
    assert words in _refused(encode_json({**_HELLO, **fields})).message


@pytest.mark.parametrize(
    ("fields", "limit"),
    [({}, None), ({"max_tokens": 5}, 5), ({"max_completion_tokens": 7}, 7)],
)
def test_either_name_limits_the_output(fields: dict[str, int], limit: int | None) -> None:
    """`max_completion_tokens` is the newer name of `max_tokens`."""
    assert parse_chat_request(encode_json({**_HELLO, **fields})).output_limit == limit


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({}, []),
        ({"service_tier": "default", "modalities": ["text"]}, []),
        ({"service_tier": "priority"}, ["service_tier"]),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, ["audio", "modalities"]),
        (
            {"web_search_options": {}, "prediction": {"type": "content"}},
            ["web_search_options", "prediction"],
        ),
    ],
)
def test_what_text_tokens_do_not_pay_for_is_named(
    fields: dict[str, object], features: list[str]
) -> None:
    """A gateway can refuse what its prices don't cover."""
    found = parse_chat_request(encode_json({**_HELLO, **fields})).unpriced_features()
    assert found == features


@pytest.mark.parametrize(
    ("fields", "features"),
    [
        ({"search_parameters": {"mode": "on"}}, ["search_parameters"]),
        ({"extra_body": {}, "plugins": [{"id": "web"}]}, ["extra_body", "plugins"]),
        ({"models": ["gpt-4", "gpt-4.5-preview"]}, ["models"]),
        ({"tools": [{"type": "function"}, {"type": "web_search"}]}, ["tools.1"]),
        ({"tools": [{"function": {"name": "f"}}]}, ["tools.0"]),
        ({"tool_choice": {"type": "web_search"}}, ["tool_choice"]),
        ({"tool_choice": {"type": ["function"]}}, ["tool_choice"]),
        (
            {"messages": [{"role": "assistant", "audio": {"id": "a"}}]},
            ["messages.0.audio"],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "", "x": 1}]}]},
            ["messages.0.content.0.x"],
        ),
    ],
)
def test_what_nobody_knows_the_price_of_is_named(
    fields: dict[str, object], features: list[str]
) -> None:
    """A field that is not known to cost nothing may cost anything."""
    found = parse_chat_request(encode_json({**_HELLO, **fields})).unpriced_features()
    assert found == features


def test_ordinary_fields_cost_nothing_of_their_own() -> None:
    """OpenAI's text fields, a conversation with tools, and whatever is null are let through."""
    called = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ordinary = {
        "messages": [
            {"role": "system", "content": "s", "name": "n"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "tool_calls": [called], "refusal": None, "audio": None},
            {"role": "tool", "tool_call_id": "1", "content": "ok"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), 0.5),
        "max_completion_tokens": 5,
        "n": 2,
        "seed": 1,
        "user": "u",
        "stop": ["x"],
        "logprobs": True,
        "top_logprobs": 2,
        "logit_bias": {"5": 1},
        "metadata": {"a": "b"},
        "store": True,
        "response_format": {"type": "text"},
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "verbosity": "low",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "service_tier": "default",
        "modalities": ["text"],
        "web_search_options": None,
        "plugins": None,
    }
    assert parse_chat_request(encode_json({**_HELLO, **ordinary})).unpriced_features() == []


def test_tools_and_formats_are_part_of_the_prompt() -> None:
    """Their JSON counts towards the prompt's bound."""
    body = {**_HELLO, "tools": [{"type": "function"}], "response_format": {"type": "text"}}
    extras = parse_chat_request(encode_json(body)).prompt_extras()
    assert extras == ['[{"type":"function"}]', '{"type":"text"}']


def test_a_messages_texts_are_all_its_tokens() -> None:
    """Parts, name and tool calls become tokens; what is null does not."""
    body = (
        b'{"model": "m", "messages": [{"role": "assistant", "content": [{"type": "text", "text":'
        b' "a"}, {"type": "refusal", "refusal": "b"}], "name": "c", "tool_calls": [{"id": "d"}],'
        b' "audio": null}]}'
    )
    (message,) = parse_chat_request(body).messages
    assert list(message.texts()) == ["assistant", "a", "b", "c", '[{"id":"d"}]']


def test_usage_survives_the_wire() -> None:
    """What an answer reports is read back, the cache and reasoning included."""
    usage = Usage(100, 40, 7, 20, 0, 5)
    body = completion_body(
        answer_id="x", created_s=1, model="m", content="hi", finish_reason="stop", usage=usage
    )
    assert read_usage(encode_json(body)) == usage
    assert body["usage"]["total_tokens"] == 107


def test_an_answer_may_report_no_usage() -> None:
    """Most chunks have none, or null."""
    assert read_usage(b'{"choices": []}') is None
    assert read_usage(b'{"usage": null}') is None


@pytest.mark.parametrize(
    "details",
    [
        {"prompt_tokens_details": {"audio_tokens": 1}},
        {"completion_tokens_details": {"audio_tokens": 1}},
        {"prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 5}},
        {"completion_tokens_details": {"reasoning_tokens": 2}},
        {"prompt_tokens_details": {"cached_tokens": 11}},
        {"prompt_tokens": -1},
        {"prompt_tokens": "10"},
    ],
)
def test_usage_that_cannot_be_priced_is_an_error(details: dict[str, object]) -> None:
    """Audio and nonsense raise instead of being charged as something else."""
    with pytest.raises(UsageError):
        read_usage(encode_json({"usage": {**usage_body(Usage(10, 0, 1)), **details}}))


def test_openai_counts_its_cache_in_the_prompt_and_its_reasoning_in_the_completion() -> None:
    """100 prompt tokens are 40 read, 30 written and 30 others; 5 of 7 tokens are reasoning."""
    body = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert read_usage(encode_json({"usage": body})) == Usage(100, 40, 7, 30, 0, 5)


def test_reasoning_that_is_counted_beside_the_completion_is_added() -> None:
    """A total of 100 + 7 + 5, as xAI sends it, tells that the 5 are not among the 7."""
    details = {"completion_tokens_details": {"reasoning_tokens": 5}}
    body = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 112, **details}
    assert read_usage(encode_json({"usage": body})) == Usage(100, 0, 12, reasoning_tokens=5)


def test_null_details_mean_nothing_was_cached() -> None:
    """Providers that don't cache send null."""
    body = b'{"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": null}'
    assert ChatUsage.model_validate_json(body).to_usage() == Usage(3, 0, 1)


def test_chunks_carry_text_and_at_the_end_usage() -> None:
    """A content chunk adds text and reports no usage; the last one has no choice but the usage."""
    content = chunk_body(answer_id="x", created_s=1, model="m", delta={"content": " hi"})
    last = chunk_body(answer_id="x", created_s=1, model="m", delta=None, usage=Usage(3, 0, 1))
    assert ChatChunk.model_validate_json(encode_json(content)).text() == " hi"
    assert read_usage(encode_json(content)) is None
    assert last["choices"] == []
    assert read_usage(encode_json(last)) == Usage(3, 0, 1)


def test_an_error_has_openais_shape() -> None:
    """Message, type, param and code, and room for more beside them."""
    assert error_body("no", kind="billing_error", code="c", budget={"scope": "global"}) == {
        "error": {
            "message": "no",
            "type": "billing_error",
            "param": None,
            "code": "c",
            "budget": {"scope": "global"},
        }
    }
