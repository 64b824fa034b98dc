import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.money import format_rate, format_usd, parse_usd

AMOUNTS = st.integers(min_value=0, max_value=999_999_999 * 10**9)


@given(AMOUNTS)
def test_what_is_shown_is_exactly_what_was_meant(nano_usd: int) -> None:
    """Formatting and parsing give the same nano-dollars back."""
    assert parse_usd(format_usd(nano_usd).removeprefix("$").replace(",", "")) == nano_usd


@pytest.mark.parametrize(
    ("text", "nano_usd"),
    [("1.20", 1_200_000_000), ("0.000000001", 1), ("1000", 10**12), ("0", 0)],
)
def test_decimal_dollars_are_nano_dollars(text: str, nano_usd: int) -> None:
    """Decimal text is read digit by digit."""
    assert parse_usd(text) == nano_usd


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", "0.0000000001", "1,5", " 1", "1."])
def test_anything_else_is_refused(text: str) -> None:
    """What is not plain decimal dollars raises ValueError."""
    with pytest.raises(ValueError, match="decimal"):
        parse_usd(text)


def test_amounts_are_shown_exactly_and_rates_in_cents() -> None:
    """Trailing zeros go, down to cents; a rate is rounded half up."""
    assert format_usd(1_476_000_000) == "$1.476"
    assert format_usd(1_000 * 10**9) == "$1,000.00"
    assert format_usd(-1) == "-$0.000000001"
    assert format_rate(302_395_000_000) == "$302.40"
    assert format_rate(302_394_999_999) == "$302.39"
