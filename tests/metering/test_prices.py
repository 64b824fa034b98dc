from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import UnpricedModelError
from metering.prices import PriceBook, PriceTier, UnitPrice
from metering.usage import Usage

_RATES = st.integers(0, 10**12)
_TOKENS = st.integers(0, 3_000_000)


@st.composite
def unit_prices(draw: st.DrawFn) -> UnitPrice:
    """Draw flat and tiered rates, finer than a nano-dollar a token."""
    starts = sorted(draw(st.sets(st.integers(0, 2_000_000), max_size=3)))
    write = st.none() | _RATES
    tiers = tuple(
        PriceTier(start, draw(_RATES), draw(_RATES), draw(_RATES), draw(write), draw(write))
        for start in starts
    )
    return UnitPrice(draw(_RATES), draw(_RATES), draw(_RATES), draw(write), draw(write), tiers)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Draw a usage whose cached and written tokens are among its input tokens."""
    parts = [draw(_TOKENS) for _ in range(4)]
    output = draw(_TOKENS)
    reasoning = draw(st.integers(0, output))
    return Usage(sum(parts), parts[0], output, parts[1], parts[2], reasoning)


def test_gpt_4_is_charged_thirty_and_sixty_dollars_a_million() -> None:
    """500 x $30/M + 250 x $60/M = 15,000,000 + 15,000,000 = 30,000,000 nano-dollars."""
    price = PriceBook().unit_price("gpt-4")
    assert price == UnitPrice(30_000_000_000, 30_000_000_000, 60_000_000_000)
    assert price.cost(Usage(500, 0, 250)) == 30_000_000


def test_cached_tokens_are_part_of_the_input_and_cost_their_own_rate() -> None:
    """gpt-4o, $2.50/$1.25/$10: (1000-400) x 2500 + 400 x 1250 + 100 x 10000 = 3,000,000 nano."""
    assert PriceBook().unit_price("gpt-4o").cost(Usage(1000, 400, 100)) == 3_000_000


def test_a_model_without_a_cached_rate_charges_cached_tokens_as_input() -> None:
    """gpt-4: 10 tokens, all cached, at $30/M are 300,000 nano-dollars."""
    assert PriceBook().unit_price("gpt-4").cost(Usage(10, 10, 0)) == 300_000


def test_a_long_prompt_moves_the_whole_call_to_the_dearer_tier() -> None:
    """gpt-5.5 is $5/$30, and $10/$45 for all tokens once the prompt passes 272,000.

    272,000 x 5,000 + 10 x 30,000 =  1,360,300,000
    272,001 x 10,000 + 10 x 45,000 = 2,720,460,000
    """
    price = PriceBook().unit_price("gpt-5.5")
    assert price.cost(Usage(272_000, 0, 10)) == 1_360_300_000
    assert price.cost(Usage(272_001, 0, 10)) == 2_720_460_000
    assert price.worst_case(272_000, 10) == 1_360_300_000
    assert price.worst_case(272_001, 10) == 2_720_460_000


def test_a_worst_case_assumes_that_the_provider_writes_its_cache() -> None:
    """claude-sonnet-4-5 writes its cache at up to $6/M: 100 x 6000 + 10 x 15000 = 750,000 nano."""
    price = PriceBook().unit_price("claude-sonnet-4-5")
    assert price.worst_case(100, 10) == 750_000
    assert price.cost(Usage(100, 0, 10)) == 450_000


@pytest.mark.parametrize(
    ("usage", "nano_usd"),
    [
        # 700 x 3,000 + 100 x 300 + 150 x 3,750 + 50 x 6,000 + 40 x 15,000
        (Usage(1000, 100, 40, 150, 50), 2_100_000 + 30_000 + 562_500 + 300_000 + 600_000),
        # 3 x 3.75 + 1 x 15 dollars a million: 26,250 nano-dollars and no fraction
        (Usage(3, 0, 1, 3), 26_250),
        # 200,001 input tokens, most of them cached, at $6/$0.60/$7.50/$12/$22.50
        (
            Usage(200_001, 200_000, 2, 0, 1),
            200_000 * 600 + 1 * 12_000 + 2 * 22_500,
        ),
        (Usage(200_000, 199_000, 2, 0, 1), 999 * 3_000 + 199_000 * 300 + 6_000 + 30_000),
    ],
)
def test_anthropics_cache_has_three_prices_and_two_tiers(usage: Usage, nano_usd: int) -> None:
    """claude-sonnet-4-5: $3, reads $0.30, writes $3.75 and $6, output $15; more above 200,000."""
    assert PriceBook().unit_price("claude-sonnet-4-5").cost(usage) == nano_usd


def test_openais_newer_models_charge_cache_writes_too() -> None:
    """gpt-6-sol, $2/$0.20/$2.50/$10: 500 x 2000 + 300 x 200 + 200 x 2500 + 30 x 10000 nano."""
    book = PriceBook()
    usage = Usage(1000, 300, 30, 200)
    assert book.unit_price("gpt-6-sol").cost(usage) == 1_000_000 + 60_000 + 500_000 + 300_000
    # gpt-5 has no price for writes: they are input at $1.25.
    assert book.unit_price("gpt-5").cost(usage) == 700 * 1_250 + 300 * 125 + 30 * 10_000


def test_reasoning_is_output_and_never_charged_twice() -> None:
    """o3, $2/$8: 100 x 2000 + 900 x 8000 nano, 800 of those 900 tokens being reasoning."""
    price = PriceBook().unit_price("o3")
    assert price.cost(Usage(100, 0, 900, reasoning_tokens=800)) == 7_400_000


def test_embeddings_have_a_price_without_output() -> None:
    """text-embedding-3-small is $0.02 a million; asked for words it has no price."""
    book = PriceBook()
    assert book.unit_price("text-embedding-3-small", has_output=False).worst_case(1000, 0) == 20_000
    with pytest.raises(UnpricedModelError, match="no output_mtok"):
        book.unit_price("text-embedding-3-small")


@pytest.mark.parametrize(
    ("rate", "nano_usd"), [(500_000, 0), (1_500_000, 2), (2_500_000, 2), (2_500_001, 3)]
)
def test_settlement_rounds_half_to_even(rate: int, nano_usd: int) -> None:
    """Exactly half a nano-dollar goes to the even neighbour: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2."""
    assert UnitPrice(rate, rate, 0).cost(Usage(1, 0, 0)) == nano_usd


def test_a_reservation_rounds_up() -> None:
    """A millionth of a nano-dollar reserves a whole one."""
    assert UnitPrice(1, 1, 0).worst_case(1, 0) == 1


@given(price=unit_prices(), usage=usages(), more_in=_TOKENS, more_out=_TOKENS)
def test_no_call_within_its_bounds_costs_more_than_its_worst_case(
    price: UnitPrice, usage: Usage, more_in: int, more_out: int
) -> None:
    """cost(usage) <= worst_case(bounds) for any rates, tiers and usage within the bounds."""
    bound = price.worst_case(usage.input_tokens + more_in, usage.output_tokens + more_out)
    assert 0 <= price.cost(usage) <= bound


@given(price=unit_prices(), calls=st.lists(usages(), min_size=1, max_size=20))
def test_rounding_moves_a_sum_by_at_most_half_a_nano_dollar_a_call(
    price: UnitPrice, calls: list[Usage]
) -> None:
    """|sum of the costs - exact sum| <= n/2 nano-dollars, in exact millionths."""
    flat = UnitPrice(price.input, price.cached, price.output, 7, 11)
    exact = sum(
        u.plain_tokens * flat.input
        + u.cached_tokens * flat.cached
        + u.cache_write_tokens * 7
        + u.cache_write_1h_tokens * 11
        + u.output_tokens * flat.output
        for u in calls
    )
    charged = sum(flat.cost(u) for u in calls) * 1_000_000
    assert abs(charged - exact) <= len(calls) * 500_000


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("no-such-model", "not in the price snapshot"),
        ("deepseek-chat", "time of day"),
        ("whisper-1", "audio_hours"),
        ("gpt-4o-search-preview", "web searches"),
        ("gpt-4o-mini-search-preview", "web searches"),
        ("GPT-4o-mini-Search-preview-2025-03-11", "web searches"),
        ("mistral-nemo:free", "no input_mtok"),
    ],
)
def test_a_price_that_cannot_be_applied_exactly_is_no_price(model: str, reason: str) -> None:
    """Such a model raises, says why and how to mend it, the first time and from the cache."""
    book = PriceBook()
    for _ in range(2):
        with pytest.raises(UnpricedModelError, match=rf"{reason}.*; add it to the price file"):
            book.unit_price(model)


def test_the_price_of_a_day_holds_for_that_day() -> None:
    """o3 fell from $10/$40 to $2/$8 on 2025-06-10: the same book sees both, as the day turns."""
    now = datetime(2025, 6, 9, 23, 59, tzinfo=UTC).timestamp()
    book = PriceBook(clock=lambda: now)
    assert book.unit_price("o3").input == 10_000_000_000
    now += 120
    assert book.unit_price("o3").input == 2_000_000_000


def test_a_price_file_makes_a_thousand_tokens_cost_three_cents(tmp_path: Path) -> None:
    """One rate of $30/M: 1000 tokens are 30,000,000 nano-dollars however they split."""
    file = tmp_path / "prices.yaml"
    file.write_text(
        'models: {gpt-4: {input_usd_per_million: "30", output_usd_per_million: "30"}}\n'
    )
    price = PriceBook(file).unit_price("gpt-4")
    assert [price.cost(Usage(n, n // 2, 1000 - n)) for n in (0, 1, 400, 999, 1000)] == (
        [30_000_000] * 5
    )
    assert price.worst_case(400, 600) == 30_000_000


def test_a_price_file_leaves_other_models_alone(tmp_path: Path) -> None:
    """An override speaks for its own model only, and prices what the snapshot does not know."""
    file = tmp_path / "prices.yaml"
    file.write_text('models: {mine: {input_usd_per_million: 1, output_usd_per_million: "2.5"}}\n')
    book = PriceBook(file)
    assert book.unit_price("mine") == UnitPrice(1_000_000_000, 1_000_000_000, 2_500_000_000)
    assert book.unit_price("gpt-4").input == 30_000_000_000


def test_the_context_window_is_known_for_known_models_only() -> None:
    """gpt-4 holds 8,192 tokens; of an unknown model nothing is claimed."""
    book = PriceBook()
    assert book.context_window("gpt-4") == 8192
    assert book.context_window("no-such-model") is None


def test_a_book_stays_small_however_many_models_are_asked_for() -> None:
    """Names that a client makes up do not pile up in memory."""
    book = PriceBook()
    for n in range(5000):
        with pytest.raises(UnpricedModelError):
            book.unit_price(f"made-up-{n}")
    assert len(book._prices) <= 4096  # noqa: SLF001  # the bound is the law under test
