"""From values to coordinates, and the round values that an axis names.

A coordinate may be a float; what an axis says of money is made of integers.
"""

import math
from dataclasses import dataclass

from lab.money import NANO_PER_USD, format_usd

_TIME_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600)
# What a margin has room for: neither more decimals nor longer sums.
_LEAST_NANO_USD = 5 * NANO_PER_USD // 1000
_THOUSANDS_NANO_USD = 10_000 * NANO_PER_USD
_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale: `low` is drawn at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the coordinate of a value."""
        span = (self.high - self.low) or 1
        return self.start + (value - self.low) / span * (self.end - self.start)


def round_step(span: int, most: int) -> int:
    """Return the smallest 1, 2 or 5 times a power of ten that makes at most `most` steps."""
    least = max(1, math.ceil(span / max(1, most)))
    power: int = 10 ** (len(str(least)) - 1)
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least)


def money_ticks(high_nano_usd: int, most: int) -> list[tuple[int, str]]:
    """Return amounts from nothing to the first at or above `high`, all with the same decimals."""
    high = max(_LEAST_NANO_USD, high_nano_usd)
    step = round_step(high, most)
    return [(amount, _money(amount, step, high)) for amount in range(0, high + step, step)]


def _money(nano_usd: int, step: int, high: int) -> str:
    if high >= _THOUSANDS_NANO_USD:
        return f"{format_usd(nano_usd // 1000, least_decimals=0)}k"
    decimals = 0 if step % NANO_PER_USD == 0 else max(2, _decimals(step))
    return format_usd(nano_usd, least_decimals=decimals)


def _decimals(nano_usd: int) -> int:
    return len(f"{nano_usd % NANO_PER_USD:09d}".rstrip("0"))


def count_ticks(high: int, most: int) -> list[int]:
    """Return whole numbers from nothing to the first at or above `high`."""
    step = round_step(max(1, high), most)
    return list(range(0, max(1, high) + step, step))


def time_ticks(low_ms: int, high_ms: int, most: int) -> list[tuple[int, str]]:
    """Return moments between two, zero among them if it is there, and how each is called."""
    span_s = max(1.0, (high_ms - low_ms) / 1000)
    step = next((s for s in _TIME_STEPS_S if span_s / s <= most), None)
    step_s = step or math.ceil(span_s / most / _HOUR_S) * _HOUR_S
    first, last = math.ceil(low_ms / 1000 / step_s), math.floor(high_ms / 1000 / step_s)
    return [(n * step_s * 1000, _time(n * step_s, step_s)) for n in range(first, last + 1)]


def _time(seconds: int, step_s: int) -> str:
    for unit_s, name in ((_HOUR_S, "h"), (_MINUTE_S, "min")):
        if step_s % unit_s == 0:
            return f"{seconds // unit_s} {name}"
    return f"{seconds} s"
