"""Laws of every metered route, whatever is sent to it."""

import json
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.calls.pricing import PricedCall
from budget.calls.providers import CHAT_PATH, EMBEDDINGS_PATH, MESSAGES_PATH, metered_routes
from budget.calls.refusals import Refusal
from budget.errors import RefusedError
from budget.scopes import MAX_LIMIT_NANO_USD
from metering.errors import SseError, UsageError
from metering.prices import PriceBook

ROUTES: Final = metered_routes(PriceBook(), 1024)
MODELS: Final = {
    CHAT_PATH: "gpt-4o",
    EMBEDDINGS_PATH: "text-embedding-3-small",
    MESSAGES_PATH: "claude-sonnet-4-5",
}
NAMES: Final = [
    *("model", "messages", "input", "max_tokens", "max_completion_tokens", "n", "stream"),
    *("stream_options", "tools", "tool_choice", "system", "thinking", "output_config", "metadata"),
    *("role", "content", "type", "text", "image_url", "url", "source", "tool_use_id", "usage"),
    *("choices", "delta", "index", "finish_reason", "prompt_tokens", "completion_tokens"),
    *("input_tokens", "output_tokens", "message", "cache_creation", "budget_tokens"),
]
WORDS: Final = [
    *("user", "assistant", "text", "image", "image_url", "tool_result", "tool_use", "enabled"),
    *("message_start", "message_delta", "message_stop", "hi", *MODELS.values()),
]

leaves = st.none() | st.booleans() | st.integers(-2, 2**63) | st.floats() | st.sampled_from(WORDS)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=20,
)
fields = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
blocks = st.builds(
    lambda kind, more: {"text": "hi", **more, "type": kind},
    st.sampled_from(
        ["text", "image", "image_url", "tool_use", "tool_result", "thinking", "refusal"]
    ),
    fields,
)
contents = st.lists(blocks, min_size=1, max_size=3).map(
    lambda content: {"messages": [{"role": "user", "content": content}]}
)

SMALLEST: Final[dict[str, dict[str, Any]]] = {
    CHAT_PATH: {"messages": [{"role": "user", "content": "hi"}]},
    EMBEDDINGS_PATH: {"input": "hi"},
    MESSAGES_PATH: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
}


def outcome(path: str, body: bytes) -> PricedCall | Refusal:
    """Price a request, or say how it is refused."""
    try:
        return ROUTES[path].price(body)
    except RefusedError as error:
        return error.refusal


@pytest.mark.parametrize("path", sorted(ROUTES))
@given(more=fields | contents)
def test_a_request_is_bounded_or_refused_with_400(path: str, more: dict[str, Any]) -> None:
    """Nothing else comes of it; what goes upstream can be priced again, and costs as much."""
    route = ROUTES[path]
    body = {"model": MODELS[path], **SMALLEST[path], **more}
    call = outcome(path, json.dumps(body).encode())
    if isinstance(call, Refusal):
        assert call.status == 400
        assert route.provider.error_body(call)
        return
    assert 0 < call.worst_case_nano_usd <= MAX_LIMIT_NANO_USD
    again = route.price(call.body)
    assert again.worst_case_nano_usd == call.worst_case_nano_usd
    assert again.body == call.body


@pytest.mark.parametrize("path", sorted(ROUTES))
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": NaN}', b"\xff", b"[" * 5000])
def test_what_is_no_request_is_refused_with_400(path: str, body: bytes) -> None:
    """In each provider's shape."""
    with pytest.raises(RefusedError) as caught:
        ROUTES[path].price(body)
    assert caught.value.refusal.status == 400


@pytest.mark.parametrize("path", sorted(ROUTES))
@given(answer=values | st.fixed_dictionaries({"usage": values}))
def test_an_answer_has_a_usage_or_none_that_counts(path: str, answer: Any) -> None:
    """Whatever a provider sends, no other error comes of reading it."""
    with suppress(UsageError):
        ROUTES[path].read_usage(json.dumps(answer).encode())


@pytest.mark.parametrize("path", sorted(ROUTES))
@given(events=st.lists(values | st.text(max_size=9), max_size=5))
def test_a_stream_of_anything_passes(path: str, events: list[Any]) -> None:
    """Odd events are the client's; only too large ones end it."""
    route = ROUTES[path]
    reader = route.reader(
        route.price(json.dumps({"model": MODELS[path], **SMALLEST[path]}).encode())
    )
    for event in events:
        with suppress(SseError):
            reader.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert reader.usage is None or reader.usage.output_tokens >= 0
