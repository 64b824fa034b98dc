"""The providers: which of their routes are served, and how their clients read errors."""

from collections.abc import Iterable
from typing import Final

from budget.calls.providers.anthropic import ANTHROPIC
from budget.calls.providers.anthropic_messages import MESSAGES_PATH, MessagesRoute
from budget.calls.providers.openai import OPENAI
from budget.calls.providers.openai_chat import CHAT_PATH, ChatRoute
from budget.calls.providers.openai_embeddings import EMBEDDINGS_PATH, EmbeddingsRoute
from budget.calls.providers.route import Provider, Route
from metering.prices import PriceBook

_ANTHROPIC_HEADER: Final = b"anthropic-version"
"""Every client of Anthropic's sends it; it tells whose `/v1/models` is meant."""

__all__ = [
    "ANTHROPIC",
    "CHAT_PATH",
    "EMBEDDINGS_PATH",
    "MESSAGES_PATH",
    "OPENAI",
    "Provider",
    "Route",
    "metered_routes",
    "provider_of",
]


def metered_routes(prices: PriceBook, default_max_tokens: int) -> dict[str, Route]:
    """Return the routes that cost money, by path; all of them are POST.

    Args:
        prices: What calls cost.
        default_max_tokens: For requests that limit nothing.
    """
    return {
        CHAT_PATH: ChatRoute(prices, default_max_tokens),
        EMBEDDINGS_PATH: EmbeddingsRoute(prices),
        MESSAGES_PATH: MessagesRoute(prices),
    }


def provider_of(path: str, headers: Iterable[tuple[bytes, bytes]]) -> Provider:
    """Return whose route a path is; where several have it, the headers tell."""
    if path == MESSAGES_PATH or path.startswith(f"{MESSAGES_PATH}/"):
        return ANTHROPIC
    if path in {CHAT_PATH, EMBEDDINGS_PATH}:
        return OPENAI
    return ANTHROPIC if any(name == _ANTHROPIC_HEADER for name, _ in headers) else OPENAI
