"""OpenAI's `POST /v1/embeddings`: input alone, so its worst case is near its cost."""

from typing import Final

from budget.calls import refusals
from budget.calls.pricing import PricedCall, price_of, refuse_beyond_store, refuse_unpriced
from budget.calls.providers.openai import OPENAI
from budget.calls.providers.openai_stream import ChatStream
from budget.errors import RefusedError
from metering.embeddings import parse_embedding_request, read_usage
from metering.errors import RequestError
from metering.prices import PriceBook
from metering.usage import Usage
from metering.wire import decode_json, encode_json

EMBEDDINGS_PATH: Final = "/v1/embeddings"


class EmbeddingsRoute:
    """Embeddings.

    Args:
        prices: What calls cost.
    """

    provider = OPENAI

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices

    def price(self, body: bytes) -> PricedCall:
        """Bound what a request may cost; see `Route`."""
        try:
            request = parse_embedding_request(body)
        except RequestError as error:
            raise RefusedError(refusals.bad_request(error)) from None
        price = price_of(self._prices, request.model, has_output=False)
        refuse_unpriced(request.unpriced_features())
        max_input_tokens = request.input_upper_bound()
        worst_case = price.worst_case(max_input_tokens, 0)
        refuse_beyond_store(worst_case)
        return PricedCall(
            model=request.model,
            price=price,
            max_input_tokens=max_input_tokens,
            choices=1,
            max_output_tokens=0,
            worst_case_nano_usd=worst_case,
            body=encode_json(decode_json(body)),
        )

    def read_usage(self, body: bytes) -> Usage | None:
        """Return what an answer used; see `Route`."""
        return read_usage(body)

    def reader(self, call: PricedCall) -> ChatStream:
        """Follow a stream, which embeddings have none of."""
        return ChatStream(call.model, call.max_output_tokens, wants_usage=True)
