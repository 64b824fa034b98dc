"""The two clocks of the service: one for dates, one for durations."""

import time
from collections.abc import Callable
from dataclasses import dataclass


def wall_unix_ms() -> int:
    """Return Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the service reads the time.

    Attributes:
        unix_ms: Date, in milliseconds since the epoch.
        monotonic_s: Never goes back; its zero means nothing.
    """

    unix_ms: Callable[[], int] = wall_unix_ms
    monotonic_s: Callable[[], float] = time.monotonic
