import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.errors import MoneyError
from metering.money import MAX_NANO_USD, format_usd, money_json, parse_usd


@given(st.integers(-MAX_NANO_USD, MAX_NANO_USD))
def test_every_amount_survives_a_round_trip_through_text(nano_usd: int) -> None:
    """What is formatted parses back to the same integer."""
    assert parse_usd(format_usd(nano_usd)) == nano_usd


@pytest.mark.parametrize(
    ("text", "nano_usd"),
    [
        ("0.03", 30_000_000),
        ("0.014660000", 14_660_000),
        ("259.20", 259_200_000_000),
        ("0.000000001", 1),
        ("-1.5", -1_500_000_000),
        ("+2", 2_000_000_000),
        (" 7 ", 7_000_000_000),
        (7, 7_000_000_000),
        (0, 0),
        ("9223372036.854775807", 2**63 - 1),
    ],
)
def test_decimal_text_is_read_exactly(text: str | int, nano_usd: int) -> None:
    """One dollar is 1,000,000,000 nano-dollars and nothing is rounded."""
    assert parse_usd(text) == nano_usd


@pytest.mark.parametrize(
    "amount",
    ["", "abc", "1e3", "1,000", ".5", "1.", "0.0000000001", "$3", "NaN", "9223372036.854775808"],
)
def test_text_that_is_no_exact_amount_is_refused(amount: str) -> None:
    """A tenth decimal, an exponent or an overflow is an error that shows the text, not a guess."""
    with pytest.raises(MoneyError, match="dollars"):
        parse_usd(amount)


@pytest.mark.parametrize("amount", [0.03, True, None])
def test_a_float_is_never_an_amount(amount: object) -> None:
    """Floats, booleans and nothing at all are refused with the way to write it."""
    with pytest.raises(MoneyError, match="write dollars as text"):
        parse_usd(amount)  # type: ignore[arg-type]  # the very misuse that is refused


def test_json_shows_the_text_and_the_integer() -> None:
    """Money in JSON is a string with nine decimals beside the integer."""
    assert money_json(14_660_000) == {"usd": "0.014660000", "nano_usd": 14_660_000}
