"""OpenAI's `POST /v1/chat/completions`."""

import re
from typing import Final

from budget.calls import refusals
from budget.calls.pricing import (
    PricedCall,
    output_limit,
    price_of,
    refuse_beyond_store,
    refuse_unpriced,
    uncountable,
)
from budget.calls.providers.openai import OPENAI
from budget.calls.providers.openai_stream import ChatStream
from budget.errors import RefusedError
from metering.chat import ChatRequest, parse_chat_request, read_usage
from metering.errors import RequestError, UncountableContentError
from metering.images import most_image_tokens
from metering.prices import PriceBook
from metering.tokens import prompt_upper_bound
from metering.usage import Usage
from metering.wire import decode_json, encode_json

CHAT_PATH: Final = "/v1/chat/completions"

_REFUSES_MAX_TOKENS: Final = re.compile(r"(?:ft:)?(?:gpt-[5-9]|o[134])")
"""OpenAI's reasoning models answer `max_tokens` with an error, `max_completion_tokens` never."""


class ChatRoute:
    """Chat completions.

    Args:
        prices: What calls cost.
        default_max_tokens: For requests that limit nothing.
    """

    provider = OPENAI

    def __init__(self, prices: PriceBook, default_max_tokens: int) -> None:
        self._prices = prices
        self._default_max_tokens = default_max_tokens

    def price(self, body: bytes) -> PricedCall:
        """Bound what a request may cost; see `Route`."""
        try:
            request = parse_chat_request(body)
        except RequestError as error:
            raise RefusedError(refusals.bad_request(error)) from None
        price = price_of(self._prices, request.model)
        max_input_tokens = _input_bound(request)
        refuse_unpriced(request.unpriced_features())
        limit = request.output_limit
        limit = self._default_max_tokens if limit is None else limit
        max_tokens = output_limit(limit, request.model, self._prices)
        choices = request.n or 1
        worst_case = price.worst_case(max_input_tokens, choices * max_tokens)
        refuse_beyond_store(worst_case)
        return PricedCall(
            model=request.model,
            price=price,
            max_input_tokens=max_input_tokens,
            choices=choices,
            max_output_tokens=max_tokens,
            worst_case_nano_usd=worst_case,
            body=_forwarded(body, request, max_tokens),
            is_stream=bool(request.stream),
            wants_usage=request.include_usage,
            limit_name=_limit_name(request),
        )

    def read_usage(self, body: bytes) -> Usage | None:
        """Return what an answer used; see `Route`."""
        return read_usage(body)

    def reader(self, call: PricedCall) -> ChatStream:
        """Follow a stream; see `Route`."""
        return ChatStream(
            call.model,
            call.max_output_tokens,
            wants_usage=call.wants_usage,
            choices=call.choices,
        )


def _input_bound(request: ChatRequest) -> int:
    image_tokens = most_image_tokens(request.model)
    try:
        return prompt_upper_bound(
            request.messages, request.prompt_extras(), image_tokens=image_tokens
        )
    except UncountableContentError as error:
        raise uncountable(error) from None


def _limit_name(request: ChatRequest) -> str:
    """Return the name under which the caller gave a limit, or one that its model takes."""
    if request.max_tokens is not None:
        return "max_tokens"
    is_newer = _REFUSES_MAX_TOKENS.match(request.model.lower()) is not None
    is_given = request.max_completion_tokens is not None
    return "max_completion_tokens" if is_newer or is_given else "max_tokens"


def _forwarded(body: bytes, request: ChatRequest, max_tokens: int) -> bytes:
    document = decode_json(body)
    for name in ("max_tokens", "max_completion_tokens"):
        document.pop(name, None)
    document[_limit_name(request)] = max_tokens
    if request.stream:
        document["stream_options"] = {
            **(document.get("stream_options") or {}),
            "include_usage": True,
        }
    return encode_json(document)
