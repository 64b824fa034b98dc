from dataclasses import replace
from fractions import Fraction

import pytest
import yaml
from hypothesis import given

from lab.expectation import Again
from lab.paths import ROOT
from lab.projection.assumptions import PRESETS, SINGLE_CASE, Assumptions, StateLoss
from lab.scenario import load_scenario
from tests.lab.projection.cases import CASES

INCIDENT = ROOT / "lab" / "prices" / "incident-030.yaml"


def test_an_outage_longer_than_the_call_starts_with_one_chain() -> None:
    """A shorter one with two; without any outage given it is just long enough for one."""
    assert SINGLE_CASE.first_chains == 1
    assert replace(SINGLE_CASE, outage_s=Fraction(10)).first_chains == 1
    assert replace(SINGLE_CASE, outage_s=Fraction("9.999")).first_chains == 2
    assert replace(SINGLE_CASE, outage_s=Fraction(0)).first_chains == 2


@pytest.mark.parametrize(
    ("ttl_s", "outage_s", "loss", "age_s"),
    [
        (5, 12, StateLoss.ALWAYS, 0),
        (5, 5, StateLoss.ALWAYS, 0),
        (5, "0.3", StateLoss.SOMETIMES, "4.7"),
        (15, 5, StateLoss.NEVER, 10),
        (None, 3600, StateLoss.NEVER, None),
    ],
)
def test_state_is_lost_when_it_expires_before_the_sidecar_is_back(
    ttl_s: int | None, outage_s: int | str, loss: StateLoss, age_s: int | str | None
) -> None:
    """Its TTL runs from the start of the call, so an older call loses it in a shorter outage."""
    ttl = None if ttl_s is None else Fraction(ttl_s)
    case = replace(SINGLE_CASE, ttl_s=ttl, outage_s=Fraction(outage_s))
    assert case.state_loss is loss
    assert case.needed_age_s == (None if age_s is None else Fraction(age_s))


@pytest.mark.parametrize(
    ("profile", "again"),
    [
        ("1.14.4", Again.NEVER),
        ("1.15.0", Again.ENDLESS),
        ("1.16.0", Again.ENDLESS),
        ("1.16.1", Again.ENDLESS),
        ("1.16.2", Again.ONCE),
        ("1.18.3", Again.ONCE),
    ],
)
def test_the_version_decides_how_often_an_activity_comes_again(profile: str, again: Again) -> None:
    """Where state is lost; where none is lost nothing comes again on any version."""
    assert replace(SINGLE_CASE, profile=profile).again is again
    assert replace(SINGLE_CASE, profile=profile, ttl_s=None).again is Again.NEVER


def test_a_version_that_nobody_has_read_is_no_guess() -> None:
    """Its name is in the error."""
    with pytest.raises(ValueError, match=r"1\.15\.20"):
        _ = replace(SINGLE_CASE, profile="1.15.20").again


@given(CASES)
def test_a_burst_makes_up_for_the_absence_exactly(case: Assumptions) -> None:
    """While it lasts as many seconds fall due as it executes, less those of the absence."""
    burst = case.caught_up
    if burst is not None:
        assert burst == case.away_s + burst * case.call_s
    else:
        assert case.call_s >= 1 or case.again is not Again.ENDLESS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_scenario_of_its_name(name: str) -> None:
    """`project` and `reproduce` speak of the same workflows, calls, tokens and price."""
    scenario, case = load_scenario(name, {}, {}), PRESETS[name]
    tokens = scenario.input.prompt_tokens + scenario.input.max_tokens
    prices = yaml.safe_load(INCIDENT.read_text(encoding="utf-8"))["models"]["gpt-4"]
    assert scenario.price_file == INCIDENT.stem
    assert (scenario.workflows, Fraction(scenario.call_s)) == (case.workflows, case.call_s)
    assert (scenario.profile, scenario.ttl_s) == (case.profile, case.ttl_s)
    assert tokens == case.tokens
    assert {int(rate) * 1000 * tokens for rate in prices.values()} == {case.nano_usd_per_call}
