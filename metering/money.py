"""Money as an integer number of nano-dollars: 1 USD = 1,000,000,000.

Reads and writes exact decimal text; never touches a float, never rounds what it reads.
"""

import re
from typing import NewType

from typing_extensions import TypedDict  # the one that pydantic can read before Python 3.12

from metering.errors import MoneyError

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000
MAX_NANO_USD = 2**63 - 1
"""The most that a store of signed 64-bit integers holds: about $9.2 billion."""

_DECIMAL_TEXT = re.compile(r"([+-]?)([0-9]{1,10})(?:\.([0-9]{1,9}))?")


class Money(TypedDict):
    """The one shape of money in JSON."""

    usd: str
    nano_usd: int


def format_usd(nano_usd: int) -> str:
    """Return dollars with nine decimals: 14660000 is `"0.014660000"`."""
    sign = "-" if nano_usd < 0 else ""
    dollars, nano = divmod(abs(nano_usd), NANO_PER_USD)
    return f"{sign}{dollars}.{nano:09d}"


def parse_usd(amount: str | int) -> NanoUsd:
    """Read dollars exactly from decimal text (at most nine decimals) or from whole dollars.

    Raises:
        MoneyError: The amount is a float or a bool, no plain decimal number, has more than nine
            decimals, or is more than 64 bits of nano-dollars hold.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int):
        raise MoneyError(f'{amount!r} is no exact amount: write dollars as text, such as "0.03"')
    match = _DECIMAL_TEXT.fullmatch(amount.strip() if isinstance(amount, str) else f"{amount:d}")
    if match is None:
        raise MoneyError(
            f"{amount!r} is no amount in dollars: write a plain decimal number with at most nine "
            'decimals, such as "0.03"'
        )
    sign, dollars, decimals = match.groups()
    nano = int(dollars) * NANO_PER_USD + int((decimals or "").ljust(9, "0"))
    if nano > MAX_NANO_USD:
        raise MoneyError(f"{amount!r} is more than {format_usd(MAX_NANO_USD)} dollars")
    return NanoUsd(-nano if sign == "-" else nano)


def money_json(nano_usd: int) -> Money:
    """Return the pair that stands for money in every JSON document."""
    return {"usd": format_usd(nano_usd), "nano_usd": nano_usd}
