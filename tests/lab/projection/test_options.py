from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import UsageError
from lab.projection.assumptions import PRESETS, SCALE_CASE, SINGLE_CASE, Assumptions
from lab.projection.options import parse_project_options


def asked(scenario: str | None = None, **given: str) -> Assumptions:
    case = parse_project_options(scenario, given)
    assert case is not None
    return case


def test_nothing_asked_means_the_published_cases() -> None:
    """Options that were not given are none; a preset alone is that preset."""
    assert parse_project_options(None, {"days": None, "cap": None}) is None
    assert [asked(name) for name in PRESETS] == [SINGLE_CASE, SCALE_CASE]


def test_options_are_laid_over_the_preset() -> None:
    """What is not given stays the published case's; numbers are read exactly."""
    case = asked("scale", call_s="0.1", ttl="none", outage="0.3", days="1.5", cap="$2.5")
    assert (case.call_s, case.outage_s) == (Fraction(1, 10), Fraction(3, 10))
    assert (case.ttl_s, case.days, case.cap_nano_usd) == (None, Fraction(3, 2), 2_500_000_000)
    assert (case.workflows, case.nano_usd_per_call) == (50, 30_000_000)
    assert case.name == "scale, changed"


@pytest.mark.parametrize(
    ("given", "tokens", "nano_usd"),
    [
        ({}, 1000, 30_000_000),
        ({"tokens": "100"}, 100, 3_000_000),
        ({"usd_per_1k_tokens": "0.01"}, 1000, 10_000_000),
        ({"tokens": "3", "usd_per_1k_tokens": "0.000000500"}, 3, 2),
        ({"usd_per_call": "0.003"}, None, 3_000_000),
    ],
)
def test_a_price_is_made_of_tokens_or_given(
    given: dict[str, str], tokens: int | None, nano_usd: int
) -> None:
    """Tokens times the rate of 1,000, half-even to the nano-dollar; or a price a call as it is."""
    case = asked(days="1", **given)
    assert (case.tokens, case.nano_usd_per_call) == (tokens, nano_usd)


def test_every_bad_option_is_named_at_once() -> None:
    """One line each, by flag, with what was given; two prices at once are one of them."""
    bad = {
        "workflows": "0",
        "in_flight": "1.5",
        "call_s": "1e3",
        "tokens": "many",
        "usd_per_1k_tokens": "-1",
        "usd_per_call": "0.0000000001",
        "ttl": "0",
        "profile": "1.15.20",
        "short_restarts_per_day": "-1",
        "outage": "nan",
        "days": "0",
        "cap": "",
        "zombie_executions": "1",
    }
    with pytest.raises(UsageError) as caught:
        parse_project_options("both", bad)
    flags = [line.split(":")[0] for line in caught.value.problems]
    named = [f"--{name.replace('_', '-')}" for name in bad]
    assert flags == ["--scenario", *named, "--usd-per-call"]
    assert all(repr(bad[name]) in "\n".join(caught.value.problems) for name in bad)


@given(st.text(max_size=12))
def test_no_text_is_read_as_something_it_is_not(text: str) -> None:
    """Any text is either the plain number it says or refused."""
    try:
        case = asked(call_s=text)
    except UsageError:
        return
    assert case.call_s == Fraction(text.strip())
