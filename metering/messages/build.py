"""Builds the bodies that Anthropic sends: answers, usage, errors."""

from typing import Any

from metering.usage import Usage
from metering.wire import JsonObject


def usage_body(usage: Usage) -> JsonObject:
    """Build the `usage` of an answer, which counts the cache beside the input."""
    return {
        "input_tokens": usage.plain_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    }


def message_body(
    *, answer_id: str, model: str, text: str | None, stop_reason: str | None, usage: Usage
) -> JsonObject:
    """Build a message; without a text it is the one that begins a stream."""
    return {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage_body(usage),
    }


def error_body(message: str, *, kind: str, **more: Any) -> JsonObject:
    """Build an error as Anthropic's clients read it; `more` joins the inner object."""
    return {"type": "error", "error": {"type": kind, "message": message, **more}}
