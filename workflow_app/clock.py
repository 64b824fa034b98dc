"""The wall clock of the feeds."""

import time


def unix_ms() -> int:
    """Return the milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
