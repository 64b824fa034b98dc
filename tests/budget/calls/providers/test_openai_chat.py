"""Laws of bounding what a chat completion may cost."""

import json
from typing import Any

import pytest

from budget.calls.providers.openai_chat import ChatRoute
from budget.errors import RefusedError
from metering.prices import PriceBook

ROUTE = ChatRoute(PriceBook(), 1024)
HI = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}]}


def priced(**fields: Any) -> Any:
    """Price `hi` to gpt-4 with further fields."""
    return ROUTE.price(json.dumps(HI | fields).encode())


def test_the_worst_case_is_worked_out_by_hand() -> None:
    """30 input tokens at $30 and 3 times 50 output tokens at $60 a million: $0.0009 + $0.009."""
    call = priced(max_tokens=50, n=3)
    assert call.max_input_tokens == 30
    assert call.worst_case_nano_usd == 9_900_000


@pytest.mark.parametrize(
    ("fields", "forwarded"),
    [
        ({}, {"max_tokens": 1024}),
        ({"max_tokens": None}, {"max_tokens": 1024}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ({"max_tokens": 10_000_000}, {"max_tokens": 8192}),
        ({"max_tokens": None, "max_completion_tokens": None}, {"max_tokens": 1024}),
    ],
)
def test_what_goes_upstream_has_the_limit_that_was_priced(
    fields: dict[str, Any], forwarded: dict[str, int]
) -> None:
    """A missing limit is filled in, one beyond the model's window is lowered to it."""
    call = priced(**fields)
    (limit,) = forwarded.values()
    assert json.loads(call.body) == HI | forwarded
    assert call.worst_case_nano_usd == 900_000 + limit * 60_000


@pytest.mark.parametrize(
    "model", ["gpt-5", "gpt-5-2025-08-07", "gpt-5.1", "GPT-5-mini", "o1", "o3-mini", "o4-mini"]
)
def test_a_model_that_refuses_max_tokens_gets_the_newer_name(model: str) -> None:
    """Reasoning models answer `max_tokens` with an error; whoever wrote it keeps it."""
    for fields in ({}, {"max_tokens": None}, {"max_completion_tokens": None}):
        body = json.loads(priced(model=model, **fields).body)
        assert body == HI | {"model": model, "max_completion_tokens": 1024}
    assert json.loads(priced(model=model, max_tokens=7).body)["max_tokens"] == 7


def test_a_stream_always_reports_its_usage() -> None:
    """The client's other options stay."""
    call = priced(stream=True, stream_options={"include_usage": False, "x": 1})
    assert json.loads(call.body)["stream_options"] == {"include_usage": True, "x": 1}
    assert call.is_stream
    assert not call.wants_usage


def test_tools_count_as_prompt() -> None:
    """Whatever becomes prompt tokens is in the bound."""
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 1000}}]
    assert priced(tools=tools).max_input_tokens > 1000


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "no-such-model"}, "unpriced_model"),
        ({"modalities": ["text", "audio"]}, "unbounded_cost"),
        ({"service_tier": "priority"}, "unbounded_cost"),
        ({"web_search_options": {"a": 1}}, "unbounded_cost"),
        ({"search_parameters": {"mode": "on"}}, "unbounded_cost"),
        ({"plugins": [{"id": "web"}]}, "unbounded_cost"),
        ({"tools": [{"type": "web_search"}]}, "unbounded_cost"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "unbounded_cost"),
        ({"model": "gpt-4o-mini-search-preview"}, "unpriced_model"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "unbounded_cost"),
        ({"messages": []}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 1.5}, None),
        ({"max_tokens": True}, None),
        ({"n": 0}, None),
    ],
)
def test_what_can_not_be_bounded_is_refused(fields: dict[str, Any], code: str | None) -> None:
    """400, and never a guess."""
    with pytest.raises(RefusedError) as caught:
        priced(**fields)
    assert (caught.value.refusal.status, caught.value.refusal.code) == (400, code)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"model": NaN}', b"\xff", b"[" * 5000])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    """400 in OpenAI's shape."""
    with pytest.raises(RefusedError) as caught:
        ROUTE.price(raw)
    assert caught.value.refusal.status == 400


def test_an_image_is_bounded_where_its_models_rule_is_published() -> None:
    """gpt-4o: 30 tokens for `hi`, 8 + 1,445 for the image, at $2.50; 10 of output at $10."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "hi"}, image]
    call = priced(model="gpt-4o", messages=[{"role": "user", "content": content}], max_tokens=10)
    assert call.max_input_tokens == 30 + 1453
    assert call.worst_case_nano_usd == 1483 * 2500 + 10 * 10_000


def test_a_clamped_call_is_the_same_with_fewer_tokens() -> None:
    """What is forwarded and what is reserved have the lower limit, under the caller's name."""
    call = priced(max_completion_tokens=50, n=2).clamped(7)
    assert json.loads(call.body) == HI | {"max_completion_tokens": 7, "n": 2}
    assert (call.max_output_tokens, call.clamped_from) == (7, 50)
    assert call.worst_case_nano_usd == 900_000 + 14 * 60_000
    assert call.clamped(0) is None
    assert priced(max_tokens=5).clamped(5) is None
