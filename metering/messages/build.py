"""Builds the bodies that Anthropic sends: errors."""

from typing import Any

from metering.wire import JsonObject


def error_body(message: str, *, kind: str, **more: Any) -> JsonObject:
    """Build an error as Anthropic's clients read it; `more` joins the inner object."""
    return {"type": "error", "error": {"type": kind, "message": message, **more}}
