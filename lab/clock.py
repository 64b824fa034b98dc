"""The wall clock in the units of the feeds."""

import time


def now_unix_ms() -> int:
    """Return integer milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
