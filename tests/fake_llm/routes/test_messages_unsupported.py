from typing import Any

import pytest

from fake_llm.errors import BadRequestError
from fake_llm.routes.messages import Messages
from metering.wire import encode_json

_HELLO = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "hello"}],
}


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "disabled"}, "tools": [], "stop_sequences": []},
        {"tool_choice": {"type": "none"}, "service_tier": "auto", "metadata": {"user_id": "u"}},
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
    ],
)
def test_fields_that_ask_for_nothing_special_are_served(fields: dict[str, Any]) -> None:
    """A client may spell out the defaults, and mark what could be cached."""
    Messages().parse(encode_json({**_HELLO, **fields}))


def test_everything_unsupported_is_named_at_once() -> None:
    """The refusal lists every field that this service does not act on."""
    fields: dict[str, Any] = {
        "max_tokens": 2000,
        "tools": [{"name": "f", "input_schema": {}}],
        "tool_choice": {"type": "any"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"format": {"type": "json_schema"}},
        "stop_sequences": ["x"],
        "speed": "fast",
    }
    with pytest.raises(BadRequestError) as caught:
        Messages().parse(encode_json({**_HELLO, **fields}))
    for name in (*(fields.keys() - {"max_tokens", "output_config"}), "output_config.format"):
        assert name in caught.value.message
