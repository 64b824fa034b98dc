"""A chat completion request as the gateway sees it: what it may cost, and what is forwarded.

The body that goes upstream is written anew from the one that was priced, so that no second reading
of it (a repeated field, say) can make it dearer than its reservation.
"""

import re
from dataclasses import dataclass
from typing import Final

from budget.calls import refusals
from budget.decisions import Code
from budget.errors import RefusedError
from budget.scopes import MAX_LIMIT_NANO_USD
from metering.chat import ChatRequest, decode_json, encode_json, parse_chat_request
from metering.errors import ChatRequestError, UncountableContentError, UnpricedModelError
from metering.money import NanoUsd, format_usd
from metering.prices import PriceBook, UnitPrice
from metering.tokens import prompt_upper_bound


@dataclass(frozen=True, slots=True)
class PricedCall:
    """A request with a bound on its cost.

    Attributes:
        model: As the caller named it.
        price: Its rates.
        max_input_tokens: No count of the prompt exceeds it.
        choices: How many answers are asked for.
        worst_case_nano_usd: The most that the call can cost.
        body: What is sent upstream.
        is_stream: Whether the answer is streamed.
        wants_usage: Whether the client itself asked for a stream's usage chunk.
    """

    model: str
    price: UnitPrice
    max_input_tokens: int
    choices: int
    worst_case_nano_usd: NanoUsd
    body: bytes
    is_stream: bool
    wants_usage: bool


def price_call(body: bytes, prices: PriceBook, default_max_tokens: int) -> PricedCall:
    """Read a request body and bound what it may cost.

    Raises:
        RefusedError: 400: malformed, unpriced, or without a bound on its cost.
    """
    try:
        request = parse_chat_request(body)
        price = prices.unit_price(request.model)
        max_input_tokens = prompt_upper_bound(request.messages, request.prompt_extras())
    except ChatRequestError as error:
        raise RefusedError(refusals.bad_request(error)) from None
    except UnpricedModelError as error:
        refusal = refusals.invalid(str(error), code=Code.UNPRICED_MODEL, param="model")
        raise RefusedError(refusal) from None
    except UncountableContentError as error:
        refusal = refusals.invalid(
            f"{error}, so this gateway can't bound what the call costs",
            code=UNBOUNDED_COST,
            param="messages",
        )
        raise RefusedError(refusal) from None
    _refuse_unpriced_features(request)
    max_tokens = _output_limit(request, prices, default_max_tokens)
    choices = request.n or 1
    worst_case = price.worst_case(max_input_tokens, choices * max_tokens)
    _refuse_beyond_store(worst_case)
    return PricedCall(
        model=request.model,
        price=price,
        max_input_tokens=max_input_tokens,
        choices=choices,
        worst_case_nano_usd=worst_case,
        body=_forwarded(body, request, max_tokens),
        is_stream=bool(request.stream),
        wants_usage=request.include_usage,
    )


UNBOUNDED_COST: Final = "unbounded_cost"


def _refuse_unpriced_features(request: ChatRequest) -> None:
    features = request.unpriced_features()
    if features:
        refusal = refusals.invalid(
            f"{', '.join(features)}: charged by rules that this gateway does not know, so it "
            "can't bound what the call costs",
            code=UNBOUNDED_COST,
            param=features[0],
        )
        raise RefusedError(refusal)


def _refuse_beyond_store(worst_case: NanoUsd) -> None:
    if worst_case > MAX_LIMIT_NANO_USD:
        refusal = refusals.invalid(
            f"This call may cost ${format_usd(worst_case)}, above what can be accounted for "
            f"(${format_usd(MAX_LIMIT_NANO_USD)}): lower max_tokens or n",
            code=UNBOUNDED_COST,
            param="max_tokens",
        )
        raise RefusedError(refusal)


def _output_limit(request: ChatRequest, prices: PriceBook, default: int) -> int:
    """Return the output tokens that each choice may have, within the model's context window."""
    limit = default if request.output_limit is None else request.output_limit
    window = prices.context_window(request.model)
    return limit if window is None else min(limit, window)


_REFUSES_MAX_TOKENS: Final = re.compile(r"(?:ft:)?(?:gpt-[5-9]|o[134])")
"""OpenAI's reasoning models answer `max_tokens` with an error, `max_completion_tokens` never."""


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
