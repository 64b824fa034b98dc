"""What tokens cost: integer nano-dollars per million tokens, from genai-prices' bundled snapshot.

A file of the operator's own goes before it. Never downloads prices, never guesses one: a model
whose price can't be applied exactly raises, it is not called free.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from genai_prices.data import providers
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    TieredPrices,
    TimeOfDateConstraint,
)

from metering.errors import UnpricedModelError
from metering.money import NANO_PER_USD, NanoUsd
from metering.pricefile import FilePrice, read_price_file
from metering.usage import Usage

TOKENS_PER_UNIT: Final = 1_000_000
SECONDS_PER_DAY: Final = 86_400
MAX_CACHED_MODELS: Final = 4096

_TOKEN_KEYS = frozenset({"input_mtok", "cache_read_mtok", "output_mtok"})
_CACHE_WRITE_KEYS = ("cache_write_mtok", "cache_write_1h_mtok")
_KEYS_OF_FEATURES = frozenset(
    {
        *("input_audio_mtok", "cache_audio_read_mtok", "output_audio_mtok"),
        *("input_image_mtok", "cache_image_read_mtok", "output_image_mtok"),
        *("input_video_mtok", "output_video_mtok", "web_searches_kcount"),
        "storage_searches_kcount",
    }
)
"""Charged only for features that `ChatRequest.unpriced_features`, `ChatMessage.texts` or
`ChatUsage.to_usage` refuse."""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Rates that hold for every token of a call with more than so many input tokens."""

    above_input_tokens: int
    input: int
    cached: int
    output: int
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """Rates of one model in nano-dollars per million tokens.

    Attributes:
        input: For input tokens that were not cached.
        cached: For input tokens read from the provider's cache.
        output: For output tokens.
        cache_write: For input tokens written to the provider's cache: only a worst case uses it.
        tiers: Rates of long prompts, by rising `above_input_tokens`; the highest tier that a
            call reaches applies to all of its tokens.
    """

    input: int
    cached: int
    output: int
    cache_write: int = 0
    tiers: tuple[PriceTier, ...] = ()

    def cost(self, usage: Usage) -> NanoUsd:
        """Return what a call cost, half-even to the nano-dollar."""
        rates: UnitPrice | PriceTier = self
        for tier in self.tiers:
            if usage.input_tokens > tier.above_input_tokens:
                rates = tier
        return _half_even(
            (usage.input_tokens - usage.cached_tokens) * rates.input
            + usage.cached_tokens * rates.cached
            + usage.output_tokens * rates.output
        )

    def worst_case(self, max_input_tokens: int, max_output_tokens: int) -> NanoUsd:
        """Return the most that a call within these bounds can cost, rounded up."""
        reachable: list[UnitPrice | PriceTier] = [self]
        reachable += [tier for tier in self.tiers if max_input_tokens > tier.above_input_tokens]
        dearest_input = max(max(rate.input, rate.cached, rate.cache_write) for rate in reachable)
        dearest_output = max(rate.output for rate in reachable)
        total = max_input_tokens * dearest_input + max_output_tokens * dearest_output
        return NanoUsd(-(-total // TOKENS_PER_UNIT))


def _half_even(nano_per_million: int) -> NanoUsd:
    quotient, rest = divmod(nano_per_million, TOKENS_PER_UNIT)
    doubled = 2 * rest
    round_up = doubled > TOKENS_PER_UNIT or (doubled == TOKENS_PER_UNIT and quotient % 2 == 1)
    return NanoUsd(quotient + round_up)


class PriceBook:
    """Unit prices by model, kept for the day (UTC) on which they hold.

    Args:
        price_file: Overrides; see `metering.pricefile`.
        clock: Unix time in seconds.

    Raises:
        PriceFileError: The file can't be used.
    """

    def __init__(
        self, price_file: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._overrides = {} if price_file is None else read_price_file(price_file)
        self._clock = clock
        self._day = -1
        self._prices: dict[str, UnitPrice | UnpricedModelError] = {}
        self._windows: dict[str, int | None] = {}

    def unit_price(self, model: str) -> UnitPrice:
        """Return the rates of a model; a name is matched as its own maker would.

        Raises:
            UnpricedModelError: The model is unknown, or its price is not one per text token.
        """
        day = int(self._clock()) // SECONDS_PER_DAY
        if day != self._day or len(self._prices) >= MAX_CACHED_MODELS:
            self._day = day
            self._prices.clear()
        found = self._prices.get(model)
        if found is None:
            found = self._prices[model] = self._look_up(model)
        if isinstance(found, UnpricedModelError):
            raise UnpricedModelError(found.model, found.reason)
        return found

    def context_window(self, model: str) -> int | None:
        """Return the most tokens that a prompt and its answer may have; None when not known."""
        if len(self._windows) >= MAX_CACHED_MODELS:
            self._windows.clear()
        if model not in self._windows:
            info = _find_model(model)
            self._windows[model] = None if info is None else info.context_window
        return self._windows[model]

    def listed_models(self) -> list[str]:
        """Return the models that have a price: those of the price file, then OpenAI's."""
        openai = next(provider for provider in providers if provider.id == "openai")
        names = dict.fromkeys([*self._overrides, *(model.id for model in openai.models)])
        return [name for name in names if self._has_price(name)]

    def _has_price(self, model: str) -> bool:
        try:
            self.unit_price(model)
        except UnpricedModelError:
            return False
        return True

    def _look_up(self, model: str) -> UnitPrice | UnpricedModelError:
        override = self._overrides.get(model)
        if override is not None:
            return _from_file(override)
        info = _find_model(model)
        if info is None:
            return UnpricedModelError(model, "it is not in the price snapshot")
        try:
            _refuse_searches(model, info)
            return _unit_price(_prices_on(info, self._day))
        except _UnusablePriceError as error:
            return UnpricedModelError(model, str(error))


class _UnusablePriceError(Exception):
    """The snapshot has a price, but not one per text token."""


def _find_model(model: str) -> ModelInfo | None:
    name = model.lower()
    for provider in providers:
        if provider.model_match is not None and provider.model_match.is_match(name):
            return provider.find_model(name, all_providers=providers)
    return None


def _refuse_searches(model: str, info: ModelInfo) -> None:
    # The snapshot lists some of these names under the model that does not search.
    if "search" in model.lower() or "search" in info.id:
        raise _UnusablePriceError("each of its calls is also charged for web searches")


def _prices_on(info: ModelInfo, day: int) -> ModelPrice:
    if isinstance(info.prices, list) and _by_time_of_day(info.prices):
        raise _UnusablePriceError("its price depends on the time of day")
    return info.get_prices(datetime.fromtimestamp(day * SECONDS_PER_DAY, UTC))


def _by_time_of_day(prices: Iterable[ConditionalPrice]) -> bool:
    return any(isinstance(price.constraint, TimeOfDateConstraint) for price in prices)


def _unit_price(prices: ModelPrice) -> UnitPrice:
    by_key: dict[str, Decimal | TieredPrices] = {
        key: value for key, value in vars(prices).items() if value is not None
    }
    strange = sorted(by_key.keys() - _TOKEN_KEYS - _KEYS_OF_FEATURES - set(_CACHE_WRITE_KEYS))
    if strange:
        raise _UnusablePriceError(f"it is also charged by {', '.join(strange)}")
    for needed in ("input_mtok", "output_mtok"):
        if needed not in by_key:
            raise _UnusablePriceError(f"it has no {needed}")
    starts = sorted(
        {tier.start for p in by_key.values() if isinstance(p, TieredPrices) for tier in p.tiers}
    )
    base = _tier(by_key, -1)
    return UnitPrice(
        input=base.input,
        cached=base.cached,
        output=base.output,
        cache_write=base.cache_write,
        tiers=tuple(_tier(by_key, start) for start in starts),
    )


def _tier(by_key: dict[str, Decimal | TieredPrices], start: int) -> PriceTier:
    """Read the rates of calls with more than `start` input tokens."""
    rates = {key: _rate_above(price, start) for key, price in by_key.items()}
    input_rate = rates["input_mtok"]
    return PriceTier(
        above_input_tokens=start,
        input=input_rate,
        cached=rates.get("cache_read_mtok", input_rate),
        output=rates["output_mtok"],
        cache_write=max(rates.get(key, 0) for key in _CACHE_WRITE_KEYS),
    )


def _rate_above(price: Decimal | TieredPrices, start: int) -> int:
    if isinstance(price, TieredPrices):
        reached = [tier.price for tier in price.tiers if tier.start <= start]
        price = reached[-1] if reached else price.base
    nano = price * NANO_PER_USD
    if nano != int(nano):
        raise _UnusablePriceError(f"{price} USD per million tokens is finer than a nano-dollar")
    return int(nano)


def _from_file(price: FilePrice) -> UnitPrice:
    return UnitPrice(input=price.input, cached=price.cached, output=price.output)
