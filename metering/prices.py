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
    Provider,
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
_CACHE_WRITE_KEYS = frozenset({"cache_write_mtok", "cache_write_1h_mtok"})
_KEYS_OF_FEATURES = frozenset(
    {
        *("input_audio_mtok", "cache_audio_read_mtok", "output_audio_mtok"),
        *("input_image_mtok", "cache_image_read_mtok", "output_image_mtok"),
        *("input_video_mtok", "output_video_mtok", "web_searches_kcount"),
        "storage_searches_kcount",
    }
)
"""Charged only for features that requests (`unpriced_features`, `texts`) or usages (`to_usage`)
are refused for."""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Rates that hold for every token of a call with more than so many input tokens."""

    above_input_tokens: int
    input: int
    cached: int
    output: int
    cache_write: int | None = None
    cache_write_1h: int | None = None


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """Rates of one model in nano-dollars per million tokens.

    Attributes:
        input: For input tokens that the cache has nothing to do with.
        cached: For input tokens read from the provider's cache.
        output: For output tokens, reasoning included.
        cache_write: For input tokens written to the provider's cache for its usual time; None
            where they have no price of their own: they are input tokens.
        cache_write_1h: For those written for one hour; None where they cost what others cost.
        tiers: Rates of long prompts, by rising `above_input_tokens`; the highest tier that a
            call reaches applies to all of its tokens. Cached tokens count towards it.
    """

    input: int
    cached: int
    output: int
    cache_write: int | None = None
    cache_write_1h: int | None = None
    tiers: tuple[PriceTier, ...] = ()

    def cost(self, usage: Usage) -> NanoUsd:
        """Return what a call cost, half-even to the nano-dollar."""
        rates: UnitPrice | PriceTier = self
        for tier in self.tiers:
            if usage.input_tokens > tier.above_input_tokens:
                rates = tier
        write, write_1h = _write_rates(rates)
        return _half_even(
            usage.plain_tokens * rates.input
            + usage.cached_tokens * rates.cached
            + usage.cache_write_tokens * write
            + usage.cache_write_1h_tokens * write_1h
            + usage.output_tokens * rates.output
        )

    def worst_case(self, max_input_tokens: int, max_output_tokens: int) -> NanoUsd:
        """Return the most that a call within these bounds can cost, rounded up."""
        reachable: list[UnitPrice | PriceTier] = [self]
        reachable += [tier for tier in self.tiers if max_input_tokens > tier.above_input_tokens]
        dearest_input = max(
            max(rates.input, rates.cached, *_write_rates(rates)) for rates in reachable
        )
        dearest_output = max(rates.output for rates in reachable)
        total = max_input_tokens * dearest_input + max_output_tokens * dearest_output
        return NanoUsd(-(-total // TOKENS_PER_UNIT))


def _write_rates(rates: UnitPrice | PriceTier) -> tuple[int, int]:
    """Return the rates of cache writes: for the usual time, and for one hour."""
    write = rates.input if rates.cache_write is None else rates.cache_write
    return write, write if rates.cache_write_1h is None else rates.cache_write_1h


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
        self._prices: dict[tuple[str, bool], UnitPrice | UnpricedModelError] = {}
        self._windows: dict[str, int | None] = {}

    def unit_price(self, model: str, *, has_output: bool = True) -> UnitPrice:
        """Return the rates of a model; a name is matched as its own maker would.

        Args:
            model: Its name.
            has_output: Whether it is asked for something that has output tokens: embeddings have
                none, and their models no price for any.

        Raises:
            UnpricedModelError: The model is unknown, or its price is not one per text token.
        """
        day = int(self._clock()) // SECONDS_PER_DAY
        if day != self._day or len(self._prices) >= MAX_CACHED_MODELS:
            self._day = day
            self._prices.clear()
        found = self._prices.get((model, has_output))
        if found is None:
            found = self._prices[model, has_output] = self._look_up(model, has_output=has_output)
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
        names = dict.fromkeys([*self._overrides, *(model.id for model in _openai().models)])
        return [name for name in names if self._has_price(name)]

    def _has_price(self, model: str) -> bool:
        try:
            self.unit_price(model)
        except UnpricedModelError:
            return False
        return True

    def _look_up(self, model: str, *, has_output: bool) -> UnitPrice | UnpricedModelError:
        override = self._overrides.get(model)
        if override is not None:
            return _from_file(override)
        info = _find_model(model)
        if info is None:
            return UnpricedModelError(model, "it is not in the price snapshot")
        try:
            _refuse_searches(model, info)
            return _unit_price(_prices_on(info, self._day), has_output=has_output)
        except _UnusablePriceError as error:
            return UnpricedModelError(model, str(error))


class _UnusablePriceError(Exception):
    """The snapshot has a price, but not one per text token."""


def _find_model(model: str) -> ModelInfo | None:
    name = model.lower()
    for provider in providers:
        if provider.model_match is not None and provider.model_match.is_match(name):
            return provider.find_model(name, all_providers=providers)
    # The snapshot's pattern of OpenAI's names leaves out some that its list has: embeddings.
    return _openai().find_model(name, all_providers=providers)


def _openai() -> Provider:
    return next(provider for provider in providers if provider.id == "openai")


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


def _unit_price(prices: ModelPrice, *, has_output: bool) -> UnitPrice:
    by_key: dict[str, Decimal | TieredPrices] = {
        key: value for key, value in vars(prices).items() if value is not None
    }
    if not has_output:
        by_key.setdefault("output_mtok", Decimal(0))
    strange = sorted(by_key.keys() - _TOKEN_KEYS - _KEYS_OF_FEATURES - _CACHE_WRITE_KEYS)
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
        cache_write_1h=base.cache_write_1h,
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
        cache_write=rates.get("cache_write_mtok"),
        cache_write_1h=rates.get("cache_write_1h_mtok"),
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
    return UnitPrice(
        input=price.input,
        cached=price.cached,
        output=price.output,
        cache_write=price.cache_write,
        cache_write_1h=price.cache_write_1h,
    )
