from lab.costs import measured, published
from lab.projection import Volume
from lab.verdict import judge
from tests.lab.evidence_builder import COST, UNTIL, activity, build, call, every, execution
from tests.lab.full_evidence import CONTROL
from tests.lab.run_builder import build_cap, build_full, build_off


def test_a_measured_rate_is_drawn_out_in_whole_nano_dollars() -> None:
    """Hour, day and month are calls and money of the window drawn out, per activity too."""
    arm = build([*activity(1, every(2000)), *activity(2, every(2000))])
    (judged,) = judge([arm]).arms
    cost = measured(judged)
    since = UNTIL - 10_000
    paid = [c for c in arm.calls if since <= c.ended_unix_ms < UNTIL]
    assert cost.activities == 2
    assert cost.nano_usd_per_call == COST
    assert cost.per_hour == Volume(len(paid) * 360, len(paid) * 360 * COST)
    assert cost.per_month.nano_usd == cost.per_day.nano_usd * 30 == len(paid) * 360 * 24 * 30 * COST
    assert cost.each_nano_usd(cost.per_day) == cost.per_day.nano_usd // 2
    assert f"{len(paid)} paid calls for $" in cost.assumptions
    assert "2 activities in flight" in cost.assumptions


def test_an_arm_that_pays_nothing_comes_to_nothing() -> None:
    """After the cap has tripped nothing is paid, in a month as in an hour."""
    (judged,) = judge([build_cap(4)]).arms
    cost = measured(judged)
    assert (cost.per_hour.nano_usd, cost.per_month.nano_usd) == (0, 0)
    assert cost.nano_usd_per_call is None


def test_what_was_paid_before_the_cap_tripped_does_not_go_on() -> None:
    """A cap that trips within the measured window ends the rate that was before it."""
    arm = build_cap(4)
    late = arm.budget.model_copy(update={"cut_off_unix_ms": UNTIL - 2000})
    paying = build_off(4).model_copy(update={"arm": "cap", "budget": late})
    (judged,) = judge([paying]).arms
    assert "in the last 2.0 s" in measured(judged).assumptions


def test_no_capped_arm_comes_to_more_than_its_cap() -> None:
    """A capped arm that still pays can't go on for a month."""
    limit = 10 * 10**9
    budget = build_cap(4).budget.model_copy(update={"limit": limit, "cut_off_unix_ms": None})
    paying = build_off(4).model_copy(update={"arm": "cap", "budget": budget})
    (judged,) = judge([paying]).arms
    cost = measured(judged)
    assert cost.per_month == Volume(limit // COST, limit)
    assert "never beyond its cap of $10.00" in cost.assumptions


def test_healthy_control_workflows_are_no_part_of_a_runaway() -> None:
    """What controls pay in the measured window is left out, and said to be."""
    arm = build_full(2)
    healthy = {**execution(0, UNTIL - 5000, 2000, 1), "instance": CONTROL}
    paying = arm.model_copy(
        update={"calls": (*arm.calls, arm.calls[0].model_validate(call(99, healthy)))}
    )
    (judged,) = judge([paying]).arms
    assert judged.rates.nano_usd_per_hour > 0
    assert measured(judged).per_hour == Volume(0, 0)
    assert "control workflows" in measured(judged).assumptions


def test_the_published_figures_come_in_all_their_readings() -> None:
    """One workflow's day, and the fifty's month in both readings, each with what it assumes."""
    single, cheap, dear = published()
    assert single.per_day.nano_usd == 259_200_000_000
    assert single.per_hour.calls == 360
    assert cheap.per_hour.calls == dear.per_hour.calls == 18_000
    assert cheap.per_month.nano_usd == 38_880_000_000_000
    assert dear.per_month.nano_usd == 388_800_000_000_000
    assert "$38,880" in dear.assumptions
    assert "reached in 3 days" in dear.assumptions
    assert "$0.003 a call" in cheap.assumptions
    assert all(cost.is_published for cost in published())
