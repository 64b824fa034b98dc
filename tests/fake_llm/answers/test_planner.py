from typing import Any

import pytest

from fake_llm.answers import Answer, plan_answer, refuse_unsupported
from fake_llm.errors import BadRequestError, ContextLengthError
from fake_llm.words import Words
from metering.chat import encode_json, parse_chat_request
from metering.usage import Usage

_HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}]}
_WORDS = Words(seed=1)


def _plan(input_tokens: int, window: int | None, **fields: Any) -> Answer:
    return plan_answer(
        parse_chat_request(encode_json({**_HELLO, **fields})),
        input_tokens=input_tokens,
        request_hash=b"h" * 16,
        words=_WORDS,
        default_tokens=64,
        context_window=window,
    )


@pytest.mark.parametrize(
    ("fields", "tokens", "reason"),
    [
        ({}, 64, "stop"),
        ({"max_tokens": 5}, 5, "length"),
        ({"max_completion_tokens": 63}, 63, "length"),
        ({"max_tokens": 64}, 64, "stop"),
        ({"max_tokens": 10**9}, 64, "stop"),
    ],
)
def test_the_lower_of_two_limits_ends_an_answer(
    fields: dict[str, int], tokens: int, reason: str
) -> None:
    """`length` says that the request's limit cut it; what is long enough stops by itself."""
    answer = _plan(10, None, **fields)
    assert (answer.usage, answer.finish_reason) == (Usage(10, 0, tokens), reason)


def test_what_was_sent_is_what_was_used() -> None:
    """A cut answer used its whole prompt and the tokens sent."""
    assert _plan(10, None).usage_of(3) == Usage(10, 0, 3)


def test_the_context_window_holds_prompt_and_answer() -> None:
    """100 tokens hold 90 + 10, not 91 + 10; an answer without a limit takes what is left."""
    assert len(_plan(90, 100, max_tokens=10).words) == 10
    with pytest.raises(ContextLengthError, match=r"is 100 tokens.*requested 101 tokens") as caught:
        _plan(91, 100, max_tokens=10)
    assert caught.value.code == "context_length_exceeded"
    rest = _plan(91, 100)
    assert (len(rest.words), rest.finish_reason) == (9, "length")


def test_a_prompt_that_leaves_no_room_is_refused() -> None:
    """A window that the prompt fills has no place for even one token."""
    with pytest.raises(ContextLengthError):
        _plan(100, 100)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 1, "tools": [], "stop": [""][:0] or None, "response_format": {"type": "text"}},
        {"tool_choice": "none", "logprobs": False, "service_tier": "auto", "modalities": ["text"]},
    ],
)
def test_fields_that_ask_for_nothing_special_are_served(fields: dict[str, Any]) -> None:
    """A client may spell out the defaults."""
    refuse_unsupported(parse_chat_request(encode_json({**_HELLO, **fields})))


def test_everything_unsupported_is_named_at_once() -> None:
    """The refusal lists every field that this service does not act on."""
    fields = {
        "n": 2,
        "tools": [{"type": "function"}],
        "functions": [{"name": "f"}],
        "tool_choice": {"type": "function"},
        "response_format": {"type": "json_object"},
        "logprobs": True,
        "stop": "x",
        "service_tier": "priority",
        "modalities": ["audio"],
    }
    with pytest.raises(BadRequestError) as caught:
        refuse_unsupported(parse_chat_request(encode_json({**_HELLO, **fields})))
    for name in ("n > 1", *fields):
        assert name in caught.value.message
    assert caught.value.code == "unsupported_parameter"
