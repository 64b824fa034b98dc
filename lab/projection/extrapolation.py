"""What a measured rate comes to in a day and in 30 days: exact integers in, exact integers out."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lab.projection.published import PUBLISHED, PublishedReading
from lab.projection.volume import DAY_S, HOUR_S, MONTH_DAYS, Volume, half_even

_MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """A measurement, drawn out in a straight line.

    Attributes:
        measured: what was counted.
        window_ms: how long it was counted, milliseconds.
        per_hour: the same rate for an hour; calls and money are rounded half-even, each on its own.
        per_day: the same rate for a day.
        per_month: the same rate for 30 days.
        published: the published figures to show beside it, in each of their readings.
    """

    measured: Volume
    window_ms: int
    per_hour: Volume
    per_day: Volume
    per_month: Volume
    published: tuple[PublishedReading, ...] = PUBLISHED


def extrapolate(*, calls: int, nano_usd: int, window_ms: int) -> Extrapolation:
    """Draw a measured rate out to an hour, a day and 30 days.

    Args:
        calls: calls that were charged in the window.
        nano_usd: what they cost.
        window_ms: length of the window, milliseconds.

    Raises:
        ValueError: The window has no length, or a count is negative.
    """
    if window_ms <= 0:
        raise ValueError(f"window_ms: must be above 0 (got {window_ms})")
    if calls < 0 or nano_usd < 0:
        raise ValueError(f"calls and nano_usd: must not be negative (got {calls}, {nano_usd})")
    measured = Volume(calls, nano_usd)
    return Extrapolation(
        measured,
        window_ms,
        _drawn_out(measured, window_ms, HOUR_S),
        _drawn_out(measured, window_ms, DAY_S),
        _drawn_out(measured, window_ms, MONTH_DAYS * DAY_S),
    )


def _drawn_out(measured: Volume, window_ms: int, seconds: int) -> Volume:
    factor = Fraction(seconds * _MS_PER_S, window_ms)
    return Volume(half_even(measured.calls * factor), half_even(measured.nano_usd * factor))
