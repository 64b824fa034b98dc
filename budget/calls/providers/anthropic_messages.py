"""Anthropic's `POST /v1/messages`."""

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
from budget.calls.providers.anthropic import ANTHROPIC
from budget.calls.providers.anthropic_stream import MessagesStream
from budget.errors import RefusedError
from metering.errors import RequestError, UncountableContentError
from metering.images import most_image_tokens
from metering.messages import parse_messages_request, read_usage
from metering.prices import PriceBook
from metering.usage import Usage
from metering.wire import decode_json, encode_json

MESSAGES_PATH: Final = "/v1/messages"


class MessagesRoute:
    """Messages.

    Args:
        prices: What calls cost.
    """

    provider = ANTHROPIC

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices

    def price(self, body: bytes) -> PricedCall:
        """Bound what a request may cost; see `Route`."""
        try:
            request = parse_messages_request(body)
        except RequestError as error:
            raise RefusedError(refusals.bad_request(error)) from None
        price = price_of(self._prices, request.model)
        try:
            max_input_tokens = request.prompt_upper_bound(most_image_tokens(request.model))
        except UncountableContentError as error:
            raise uncountable(error) from None
        refuse_unpriced(request.unpriced_features())
        max_tokens = output_limit(request.max_tokens, request.model, self._prices)
        worst_case = price.worst_case(max_input_tokens, max_tokens)
        refuse_beyond_store(worst_case)
        return PricedCall(
            model=request.model,
            price=price,
            max_input_tokens=max_input_tokens,
            choices=1,
            max_output_tokens=max_tokens,
            worst_case_nano_usd=worst_case,
            body=encode_json(decode_json(body) | {"max_tokens": max_tokens}),
            is_stream=bool(request.stream),
            limit_name="max_tokens",
            least_output_tokens=request.thinking_tokens + 1,
        )

    def read_usage(self, body: bytes) -> Usage | None:
        """Return what an answer used; see `Route`."""
        return read_usage(body)

    def reader(self, call: PricedCall) -> MessagesStream:
        """Follow a stream; see `Route`."""
        return MessagesStream(call.model, call.max_output_tokens)
