"""The providers' own clients, with their own defaults, and how many requests they make."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import anthropic
import httpx2
import openai

Call = Callable[[str, httpx2.Client, dict[str, str], dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client raised, and after how many requests.

    Attributes:
        status: HTTP status.
        type: `error.type`.
        code: `error.code`.
        requests: How many it made.
    """

    status: int
    type: str
    code: str | None
    requests: int


def openai_call(
    url: str, http: httpx2.Client, headers: dict[str, str], fields: dict[str, Any]
) -> Any:
    """Make a chat completion."""
    client = openai.OpenAI(
        api_key="key", base_url=f"{url}/v1", default_headers=headers, http_client=http
    )
    body: dict[str, Any] = {
        "model": "gpt-4",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 1,
    }
    return client.chat.completions.create(**(body | fields))


def anthropic_call(
    url: str, http: httpx2.Client, headers: dict[str, str], fields: dict[str, Any]
) -> Any:
    """Make a message."""
    client = anthropic.Anthropic(
        api_key="key", base_url=url, default_headers=headers, http_client=http
    )
    body: dict[str, Any] = {
        "model": "claude-haiku-4-5",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 1,
    }
    return client.messages.create(**(body | fields))


CALLS: Final[dict[str, Call]] = {"openai": openai_call, "anthropic": anthropic_call}


def refused(sdk: str, url: str, headers: dict[str, str], **fields: Any) -> Outcome:
    """Make a call that is refused.

    Raises:
        AssertionError: It was not.
    """
    requests: list[httpx2.Request] = []
    with httpx2.Client(event_hooks={"request": [requests.append]}, timeout=20) as http:
        try:
            CALLS[sdk](url, http, headers, fields)
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            body = error.response.json()["error"]
            return Outcome(error.status_code, body["type"], body["code"], len(requests))
    raise AssertionError("the call was not refused")
