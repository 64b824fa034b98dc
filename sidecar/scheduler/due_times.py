"""Reads a job's due time: RFC 3339, or a Go duration counted from the receipt of the job."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache

from sidecar.scheduler.retry_clock import SECOND_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"(?P<seconds>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)",
    re.ASCII,
)
_UNITS_US = {
    "ns": Fraction(1, 1000),
    "us": Fraction(1),
    "\u00b5s": Fraction(1),
    "\u03bcs": Fraction(1),
    "ms": Fraction(1000),
    "s": Fraction(SECOND_US),
    "m": Fraction(60 * SECOND_US),
    "h": Fraction(3600 * SECOND_US),
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)", re.ASCII)
# Go's time.Duration is 64 bits of nanoseconds.
_LONGEST_US = (2**63 - 1) // 1000


def due_us(text: str, now_us: int) -> int:
    """Return the due time in microseconds since the epoch, rounded down.

    ValueError, in Dapr's words, when the text is neither form.
    """
    absolute = _rfc_3339_us(text)
    if absolute is not None:
        return absolute
    duration = _go_duration_us(text)
    if duration is not None:
        return now_us + duration
    raise ValueError("due time format not recognized")


def _rfc_3339_us(text: str) -> int | None:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    try:
        whole = datetime.fromisoformat(match["seconds"] + match["zone"])
    except ValueError:
        return None
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    return (whole - _EPOCH) // timedelta(microseconds=1) + int(fraction)


@lru_cache(maxsize=256)
def _go_duration_us(text: str) -> int | None:
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text.startswith(("-", "+")) else text
    if rest == "0":
        return 0
    total, position = Fraction(0), 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            return None
        total += Fraction(part[1].removesuffix(".")) * _UNITS_US[part[2]]
        position = part.end()
    if not rest or total > _LONGEST_US:
        return None
    return int(sign * total // 1)
