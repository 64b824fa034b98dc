"""The client of the LLM: one plain HTTP call with the caller's identity, without retries.

What failed for good is a `NonRetryableError`, what may pass is an `LlmError`: whoever called
decides about another attempt, so that no second layer of retries multiplies the calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from metering.identity import CallerIdentity
from workflow_app.errors import LlmError, NonRetryableError

FINAL_STATUSES: Final = frozenset({400, 401, 402, 403, 404, 413, 422})
"""Another attempt with the same body would be refused again."""

REFUSED_STATUS: Final = httpx.codes.PAYMENT_REQUIRED
"""How a budget says no."""

KEEPALIVE_S: Final = 2.0
"""Shorter than a server's, often 5 s: a call over what the server is closing is lost."""

_SHOWN_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and the tokens that the provider counted."""

    text: str
    input_tokens: int
    output_tokens: int


class LlmClient:
    """A thread-safe client of an OpenAI-compatible chat completions API."""

    def __init__(self, *, base_url: str, model: str, timeout_s: float, connections: int) -> None:
        self._model = model
        self._http = httpx.Client(
            base_url=base_url,
            timeout=timeout_s,
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=KEEPALIVE_S,
            ),
            trust_env=False,
        )

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, identity: CallerIdentity
    ) -> Answer:
        """Ask for one completion.

        Raises:
            NonRetryableError: The call was refused for good, such as a 402 of a budget.
            LlmError: Anything else: 429, 5xx, no connection, a timeout, a broken answer.
        """
        body = {"model": self._model, "messages": list(messages), "max_tokens": max_tokens}
        try:
            response = self._http.post(
                "/chat/completions", json=body, headers=identity.to_headers()
            )
        except httpx.HTTPError as error:
            raise LlmError(f"no answer from the LLM: {type(error).__name__}: {error}") from error
        if response.status_code in FINAL_STATUSES:
            raise NonRetryableError(_refusal(response), response.status_code)
        if not response.is_success:
            raise LlmError(_refusal(response))
        return _answer(response)

    def close(self) -> None:
        """Close the connections; calls that still run fail."""
        self._http.close()


def _answer(response: httpx.Response) -> Answer:
    try:
        body: Any = response.json()
        return Answer(
            text=str(body["choices"][0]["message"]["content"]),
            input_tokens=int(body["usage"]["prompt_tokens"]),
            output_tokens=int(body["usage"]["completion_tokens"]),
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        shown = response.text[:_SHOWN_CHARACTERS]
        raise LlmError(f"the LLM's answer is no chat completion: {shown}") from error


def _refusal(response: httpx.Response) -> str:
    try:
        error = response.json()["error"]
        text = f"{error.get('code')}: {error.get('message')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        text = response.text
    return f"the LLM answered {response.status_code}: {text[:_SHOWN_CHARACTERS]}"
