"""Anthropic's messages."""

from fake_llm.routes.messages.route import Messages

__all__ = ["Messages"]
