from dataclasses import replace
from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from lab.projection.assumptions import SCALE_CASE, SINGLE_CASE, Assumptions
from lab.projection.outcomes import Measure, Outcome, outcomes
from lab.projection.project import project
from lab.projection.volume import Volume
from tests.lab.projection.cases import CASES, ENDLESS_CASES, NEVER, ONCE

USD = 10**9
MONTH_S = 30 * 86_400


def by_measure(case: Assumptions) -> dict[Measure, Outcome]:
    return {outcome.measure: outcome for outcome in outcomes(case)}


def test_a_cap_stops_the_bill_and_not_the_executions() -> None:
    """$10 pay for 333 calls, within 66.6 s; then fifty a second are refused, a month long."""
    cap = by_measure(SCALE_CASE)[Measure.CAP]
    assert cap.paid == Volume(333, 9_990_000_000)
    assert cap.paid_until_s == Fraction("66.6")
    assert cap.unpaid_executions == 50 * MONTH_S - 333
    assert (cap.unpaid_per_hour, cap.executions_end) == (180_000, False)


def test_a_replay_charges_once_and_executions_go_on() -> None:
    """Fifty activities are charged once each; all that follows is answered for nothing."""
    replay = by_measure(SCALE_CASE)[Measure.REPLAY]
    assert replay.paid == Volume(50, 1_500_000_000)
    assert replay.unpaid_executions == 50 * MONTH_S - 50
    assert not replay.executions_end


def test_a_source_stop_charges_once_and_ends_the_executions() -> None:
    """At the fifth execution of each of fifty activities its job is deleted."""
    stop = by_measure(SCALE_CASE)[Measure.SOURCE_STOP]
    assert stop.paid == Volume(50, 1_500_000_000)
    assert (stop.unpaid_executions, stop.unpaid_per_hour, stop.jobs_deleted) == (200, 0, 50)
    assert stop.executions_end


def test_the_fixed_versions_execute_once_more() -> None:
    """Two charges each where the call was in flight, one where replay stands in the way."""
    case = replace(SCALE_CASE, profile=ONCE)
    found = by_measure(case)
    assert found[Measure.NOTHING].paid == Volume(100, 3 * USD)
    assert found[Measure.REPLAY].paid == Volume(50, 1_500_000_000)
    assert all(outcome.executions_end for outcome in found.values())
    assert found[Measure.SOURCE_STOP].jobs_deleted == 0
    assert by_measure(replace(case, profile=NEVER))[Measure.NOTHING].paid.calls == 50


@given(CASES)
def test_a_cap_bounds_what_is_spent(case: Assumptions) -> None:
    """Never above the cap, never more than without it, and no dearer call than it can pay."""
    found = by_measure(case)
    cap, nothing = found[Measure.CAP], found[Measure.NOTHING]
    assert cap.paid.nano_usd <= max(case.cap_nano_usd, 0)
    assert cap.paid.calls <= nothing.paid.calls
    left = case.cap_nano_usd - cap.paid.nano_usd
    assert cap.paid == nothing.paid or left < case.nano_usd_per_call


@given(CASES)
def test_each_measure_is_at_least_as_good_as_the_one_before(case: Assumptions) -> None:
    """Replay and source stop never cost more than nothing; a stop never executes more than them."""
    found = by_measure(case)
    replay, stop = found[Measure.REPLAY], found[Measure.SOURCE_STOP]
    assert replay.paid == stop.paid
    assert replay.paid.nano_usd <= found[Measure.NOTHING].paid.nano_usd
    assert stop.unpaid_executions <= replay.unpaid_executions
    assert all(outcome.unpaid_executions >= 0 for outcome in found.values())


@given(case=CASES, more=st.integers(0, 50))
def test_more_restarts_are_never_cheaper(case: Assumptions, more: int) -> None:
    """Nor are more days or more workflows."""
    cost = project(case).in_all.nano_usd
    restarts = case.short_restarts_per_day + more
    for worse in (
        replace(case, short_restarts_per_day=restarts),
        replace(case, days=case.days + more),
        replace(case, workflows=case.workflows + more),
    ):
        assert project(worse).in_all.nano_usd >= cost


@given(case=ENDLESS_CASES, days=st.integers(1, 40), restarts=st.integers(1, 20))
def test_the_days_add_up_to_the_closed_form(case: Assumptions, days: int, restarts: int) -> None:
    """Interval by interval at its own number of chains, until the clock is the limit."""
    interval_s = Fraction(86_400, restarts)
    chains = [case.first_chains + grown for grown in range(days * restarts)]
    series = sum(count * interval_s / case.call_s for count in chains)
    whole = replace(case, days=Fraction(days), short_restarts_per_day=Fraction(restarts))
    volume = project(whole).in_all
    assert volume.calls == floor(case.activities * min(series, days * 86_400))
    assert volume.nano_usd == volume.calls * case.nano_usd_per_call


def test_the_presets_are_the_published_figures() -> None:
    """The closed form gives $259.20 a day, and 18,000 calls an hour and $388,800 a month."""
    single, scale = project(SINGLE_CASE), project(SCALE_CASE)
    assert single.first_hour.calls == 360
    assert single.first_day == Volume(8_640, 259_200_000_000)
    assert scale.first_hour.calls == 18_000
    assert scale.first_month == Volume(12_960_000, 388_800 * USD)
    cheap = project(replace(SCALE_CASE, nano_usd_per_call=3_000_000))
    assert cheap.first_month == Volume(12_960_000, 38_880 * USD)
