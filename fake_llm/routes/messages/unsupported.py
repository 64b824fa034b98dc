"""What of Anthropic's messages this service does not do."""

from metering.messages import MessagesRequest


def unsupported_fields(request: MessagesRequest) -> list[str]:
    """Name the fields that Anthropic would act on and this service does not."""
    extra = request.model_extra or {}
    thinking, output = request.thinking, request.output_config
    asked = {
        "tools": bool(request.tools),
        "tool_choice": (request.tool_choice or {}).get("type") not in (None, "none", "auto"),
        "thinking": thinking is not None and thinking.type != "disabled",
        "output_config.format": output is not None and output.format is not None,
        "stop_sequences": bool(extra.get("stop_sequences")),
    }
    return [name for name, is_asked in asked.items() if is_asked] + request.unpriced_features()
