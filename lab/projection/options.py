"""What `runaway project` was asked for, read exactly and checked as a whole before it answers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from lab.errors import UsageError
from lab.expectation import expected_again, parse_version
from lab.money import parse_usd
from lab.projection.assumptions import PRESETS, SINGLE_CASE, Assumptions
from lab.projection.volume import half_even

_DECIMAL = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_WHOLE = re.compile(r"\d{1,9}")
_TOKENS_PER_RATE: Final = 1000
_PRICE_OPTIONS: Final = ("tokens", "usd_per_1k_tokens")
_RATE_NANO_USD: Final = 30_000_000
"""What 1,000 tokens cost in the published cases."""


def _decimal(least: str, most: str) -> Callable[[str], Fraction]:
    def read(text: str) -> Fraction:
        value = Fraction(text) if _DECIMAL.fullmatch(text) else None
        if value is None or not Fraction(least) <= value <= Fraction(most):
            raise ValueError(f"must be a plain number from {least} to {most}")
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if _WHOLE.fullmatch(text) else None
        if value is None or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def _ttl(text: str) -> Fraction | None:
    if text == "none":
        return None
    try:
        return _decimal("0.001", "31536000")(text)
    except ValueError as error:
        raise ValueError(f"{error}, in seconds, or none") from None


def _usd(text: str) -> int:
    return parse_usd(text.removeprefix("$"))


def _version(text: str) -> str:
    if parse_version(text) is None:
        raise ValueError("must be a version of Dapr, such as 1.16.1")
    if expected_again(text, loses_cache=True) is None:
        raise ValueError("nobody has read what it does; known are up to 1.15.14, and from 1.16.0")
    return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "workflows": _whole(1, 1_000_000),
    "in_flight": _whole(1, 10_000),
    "call_s": _decimal("0.001", "86400"),
    "tokens": _whole(1, 100_000_000),
    "usd_per_1k_tokens": _usd,
    "usd_per_call": _usd,
    "ttl": _ttl,
    "profile": _version,
    "short_restarts_per_day": _decimal("0", "86400"),
    "outage": _decimal("0", "31536000"),
    "days": _decimal("0.001", "3660"),
    "cap": _usd,
    # At its first execution nothing has come again, and a healthy activity would be stopped.
    "zombie_executions": _whole(2, 1_000_000),
}
_FIELDS: Final = {"ttl": "ttl_s", "outage": "outage_s", "cap": "cap_nano_usd"}


def parse_project_options(
    scenario: str | None, given: Mapping[str, str | None]
) -> Assumptions | None:
    """Return the case that was asked for; None when nothing was, which means the published ones.

    Args:
        scenario: name of a preset that the options are laid over; None: `single`.
        given: option to text; None is an option that was not given.

    Raises:
        UsageError: naming every bad one.
    """
    texts = {name: text.strip() for name, text in given.items() if text is not None}
    if scenario is None and not texts:
        return None
    problems = []
    base = SINGLE_CASE if scenario is None else PRESETS.get(scenario)
    if base is None:
        problems.append(f"--scenario: must be one of {', '.join(PRESETS)} (got {scenario!r})")
    values, bad = _read(texts)
    problems += bad
    if "usd_per_call" in texts and any(name in texts for name in _PRICE_OPTIONS):
        problems.append(
            "--usd-per-call: is the price of a call already; leave it out, or --tokens and "
            "--usd-per-1k-tokens"
        )
    if base is None or problems:
        raise UsageError(problems)
    return replace(base, **_with_price(base, values), name=_name(base, texts))


def _read(texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values, problems = {}, []
    for name, text in texts.items():
        try:
            values[_FIELDS.get(name, name)] = _READERS[name](text)
        except ValueError as error:
            problems.append(f"{_flag(name)}: {error} (got {text!r})")
    return values, problems


def _with_price(base: Assumptions, values: dict[str, Any]) -> dict[str, Any]:
    """Make one price a call of what was given."""
    per_call = values.pop("usd_per_call", None)
    rate = values.pop("usd_per_1k_tokens", _RATE_NANO_USD)
    if per_call is not None:
        return {**values, "tokens": None, "nano_usd_per_call": per_call}
    tokens = values.get("tokens", base.tokens)
    price = half_even(Fraction(tokens * rate, _TOKENS_PER_RATE))
    return {**values, "nano_usd_per_call": price}


def _name(base: Assumptions, texts: Mapping[str, str]) -> str:
    return f"{base.name}, changed" if texts else base.name


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
