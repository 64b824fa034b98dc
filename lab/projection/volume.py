"""A number of calls and what they cost; and how exact fractions become whole numbers."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

HOUR_S: Final = 3600
DAY_S: Final = 86_400
MONTH_DAYS: Final = 30
"""A month of a projection: 30 days, as in the published figures."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Calls and their cost in nano-dollars."""

    calls: int
    nano_usd: int


def half_even(exact: Fraction) -> int:
    """Return the nearest whole number, the even one of two that are equally near."""
    return round(exact)
