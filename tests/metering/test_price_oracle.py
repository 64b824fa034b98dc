"""Costs against genai-prices' own arithmetic, which takes 74 microseconds a call."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.errors import UnpricedModelError
from metering.prices import PriceBook
from metering.usage import Usage

NOW = datetime(2026, 11, 25, tzinfo=UTC)
BOOK = PriceBook(clock=NOW.timestamp)


def _is_priced(model: str) -> bool:
    try:
        BOOK.unit_price(model)
    except UnpricedModelError:
        return False
    return True


MODELS = [
    (provider.id, model.id)
    for provider in providers
    if provider.id in {"openai", "anthropic"}
    for model in provider.models
    if _is_priced(model.id)
]


def test_there_are_models_to_compare() -> None:
    """Those of both makers, with tiers, cache prices and neither."""
    assert len(MODELS) > 80


@settings(max_examples=300)
@given(
    model=st.sampled_from(MODELS),
    parts=st.tuples(*[st.integers(0, 300_000)] * 4),
    output=st.integers(0, 200_000),
)
def test_a_cost_is_theirs_to_the_nano_dollar(
    model: tuple[str, str], parts: tuple[int, int, int, int], output: int
) -> None:
    """Plain, read, written and written for an hour; long prompts; half-even."""
    plain, read, write, write_1h = parts
    provider, name = model
    usage = Usage(sum(parts), read, output, write, write_1h)
    their_usage = TheirUsage(
        input_tokens=sum(parts),
        cache_read_tokens=read,
        cache_write_tokens=write + write_1h,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
    )
    theirs = calc_price(
        their_usage, model_ref=name, provider_id=provider, genai_request_timestamp=NOW
    )
    nano = (theirs.total_price * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert BOOK.unit_price(name).cost(usage) == nano
    assert usage.plain_tokens == plain
