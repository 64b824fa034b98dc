"""A call as the gateway sees it, whatever its provider: what it may cost, and what is forwarded.

The body that goes upstream is written anew from the one that was priced, so that no second reading
of it (a repeated field, say) can make it dearer than its reservation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from budget.calls import refusals
from budget.decisions import Code
from budget.errors import RefusedError
from budget.scopes import MAX_LIMIT_NANO_USD
from metering.errors import UncountableContentError, UnpricedModelError
from metering.money import NanoUsd, format_usd
from metering.prices import PriceBook, UnitPrice
from metering.wire import decode_json, encode_json

UNBOUNDED_COST: Final = "unbounded_cost"
CLAMP_HEADER: Final = b"x-budget-clamp"


@dataclass(frozen=True, slots=True)
class PricedCall:
    """A request with a bound on its cost.

    Attributes:
        model: As the caller named it.
        price: Its rates.
        max_input_tokens: No count of the prompt exceeds it.
        choices: How many answers are asked for.
        max_output_tokens: How many tokens each may have.
        worst_case_nano_usd: The most that the call can cost.
        body: What is sent upstream.
        is_stream: Whether the answer is streamed.
        wants_usage: Whether the client itself asked for a stream's usage chunk.
        limit_name: The body's field with `max_output_tokens`; None when there is no output.
        least_output_tokens: With fewer the provider would refuse it.
        clamped_from: The limit it had before it was lowered to what is affordable, or None.
    """

    model: str
    price: UnitPrice
    max_input_tokens: int
    choices: int
    max_output_tokens: int
    worst_case_nano_usd: NanoUsd
    body: bytes
    is_stream: bool = False
    wants_usage: bool = True
    limit_name: str | None = None
    least_output_tokens: int = 1
    clamped_from: int | None = None

    def clamped(self, max_output_tokens: int) -> "PricedCall | None":
        """Return the same call with fewer output tokens, None where that would be no call."""
        if self.limit_name is None:
            return None
        if not self.least_output_tokens <= max_output_tokens < self.max_output_tokens:
            return None
        document = decode_json(self.body)
        document[self.limit_name] = max_output_tokens
        return replace(
            self,
            max_output_tokens=max_output_tokens,
            worst_case_nano_usd=self.cost_bound(self.choices * max_output_tokens),
            body=encode_json(document),
            clamped_from=self.max_output_tokens,
        )

    def cost_bound(self, output_tokens: int) -> NanoUsd:
        """Return the most that the call costs with so many output tokens, of all choices."""
        return self.price.worst_case(self.max_input_tokens, output_tokens)


def price_of(prices: PriceBook, model: str, *, has_output: bool = True) -> UnitPrice:
    """Return the rates of a model.

    Raises:
        RefusedError: 400: nobody knows its price.
    """
    try:
        return prices.unit_price(model, has_output=has_output)
    except UnpricedModelError as error:
        refusal = refusals.invalid(str(error), code=Code.UNPRICED_MODEL, param="model")
        raise RefusedError(refusal) from None


def output_limit(limit: int, model: str, prices: PriceBook) -> int:
    """Return the output tokens that an answer may have, within the model's context window."""
    window = prices.context_window(model)
    return limit if window is None else min(limit, window)


def uncountable(error: UncountableContentError) -> RefusedError:
    """Refuse a prompt whose tokens nobody can bound."""
    return RefusedError(
        refusals.invalid(
            f"{error}, so this gateway can't bound what the call costs",
            code=UNBOUNDED_COST,
            param="messages",
        )
    )


def refuse_unpriced(features: Sequence[str]) -> None:
    """Refuse what is charged by rules that prices per token do not tell.

    Raises:
        RefusedError: 400: there is such a feature.
    """
    if features:
        refusal = refusals.invalid(
            f"{', '.join(features)}: charged by rules that this gateway does not know, so it "
            "can't bound what the call costs",
            code=UNBOUNDED_COST,
            param=features[0],
        )
        raise RefusedError(refusal)


def refuse_beyond_store(worst_case: NanoUsd) -> None:
    """Refuse a call that may cost more than the store counts.

    Raises:
        RefusedError: 400: it may.
    """
    if worst_case > MAX_LIMIT_NANO_USD:
        refusal = refusals.invalid(
            f"This call may cost ${format_usd(worst_case)}, above what can be accounted for "
            f"(${format_usd(MAX_LIMIT_NANO_USD)}): lower max_tokens or n",
            code=UNBOUNDED_COST,
            param="max_tokens",
        )
        raise RefusedError(refusal)
