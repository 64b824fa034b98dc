from typing import Any

import pytest

from fake_llm.errors import BadRequestError
from fake_llm.routes.chat import Chat
from metering.chat import encode_json

_HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 1, "tools": [], "stop": None, "response_format": {"type": "text"}},
        {"tool_choice": "none", "logprobs": False, "service_tier": "auto", "modalities": ["text"]},
    ],
)
def test_fields_that_ask_for_nothing_special_are_served(fields: dict[str, Any]) -> None:
    """A client may spell out the defaults."""
    Chat().parse(encode_json({**_HELLO, **fields}))


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
        Chat().parse(encode_json({**_HELLO, **fields}))
    for name in ("n > 1", *fields):
        assert name in caught.value.message
    assert caught.value.code == "unsupported_parameter"
