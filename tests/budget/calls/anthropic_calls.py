"""Calls of Anthropic's messages, for tests."""

from typing import Any, Final

import httpx

from tests.budget.gateways import RunningGateway

RESERVED_NANO_USD: Final = 201_000
"""What `hi` to claude-haiku-4-5 with one output token may cost: 98 bounded input tokens (64 for the
prompt, 16 each for the message and its block, 2 for `hi`), all written to the cache for one hour at
2,000 each, and one output token at 5,000."""

USED_NANO_USD: Final = 103_000
"""What the provider charges for it: the same tokens, none of them written, at 1,000 each."""


def request(gateway: RunningGateway, behaviour: str = "", **fields: Any) -> dict[str, Any]:
    """Build the arguments of one call."""
    body = {
        "model": "claude-haiku-4-5",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 1,
        "metadata": {"user_id": behaviour},
        **fields,
    }
    headers = gateway.request()["headers"] | {"anthropic-version": "2023-06-01"}
    return {"url": f"{gateway.url}/v1/messages", "json": body, "headers": headers}


def message(gateway: RunningGateway, behaviour: str = "", **fields: Any) -> httpx.Response:
    """Make one call."""
    return gateway.http.post(**request(gateway, behaviour, **fields))
