"""Integer nano-dollars from and to decimal text; never a float."""

import re

NANO_PER_USD = 10**9
_USD = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?")


def parse_usd(text: str) -> int:
    """Return exact decimal dollars as nano-dollars; raise ValueError on anything else."""
    match = _USD.fullmatch(text)
    if match is None:
        raise ValueError("must be dollars as plain decimal text with at most nine decimals")
    return int(match[1]) * NANO_PER_USD + int((match[2] or "").ljust(9, "0"))


def format_usd(nano_usd: int, *, least_decimals: int = 2) -> str:
    """Return exact dollars, trailing zeros dropped down to `least_decimals`: `$1.476`."""
    sign = "-" if nano_usd < 0 else ""
    whole, fraction = divmod(abs(nano_usd), NANO_PER_USD)
    digits = f"{fraction:09d}"
    kept = digits.rstrip("0").ljust(least_decimals, "0")
    return f"{sign}${whole:,}.{kept}" if kept else f"{sign}${whole:,}"


def format_rate(nano_usd_per_hour: int) -> str:
    """Return a rate rounded half-up to cents: `$360.00`."""
    cents = (nano_usd_per_hour + NANO_PER_USD // 200) // (NANO_PER_USD // 100)
    return f"${cents // 100:,}.{cents % 100:02d}"
