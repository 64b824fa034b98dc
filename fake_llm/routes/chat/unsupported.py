"""What of a chat completion this service does not do."""

from typing import Final

from metering.chat import ChatRequest

_PLAIN_FIELDS: Final = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
        *("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "user"),
    }
)
"""Requests with no other fields, which are most, need no closer look."""


def unsupported_fields(request: ChatRequest) -> list[str]:
    """Name the fields that a real provider would act on and this service does not."""
    if request.model_fields_set <= _PLAIN_FIELDS:
        return request.unpriced_features()
    extra = request.model_extra or {}
    response_format = (request.response_format or {}).get("type", "text")
    asked = {
        "n > 1": (request.n or 1) > 1,
        "tools": bool(request.tools),
        "functions": bool(request.functions),
        "tool_choice": extra.get("tool_choice") not in (None, "none", "auto"),
        "response_format": response_format != "text",
        "logprobs": bool(request.logprobs or request.top_logprobs),
        "stop": bool(request.stop),
    }
    return [name for name, is_asked in asked.items() if is_asked] + request.unpriced_features()
