"""OpenAI's chat completions."""

from fake_llm.routes.chat.route import Chat

__all__ = ["Chat"]
