from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.evidence import ArmEvidence
from lab.expectation import Again
from lab.judgement import Outcome
from lab.property_result import Status
from lab.verdict import ExitCode, Verdict, failed, judge
from tests.lab.evidence_builder import (
    BLOW,
    COST,
    FIRST_AGAIN,
    REQUESTED,
    UNTIL,
    activity,
    build,
    every,
    execution,
    going_on,
    polls,
    workflow,
)

NOT_LOST = {"disrupt": "none"}
FIXED = {"profile": "1.18.3"}


def undisturbed(*more: dict[str, Any], **changes: Any) -> ArmEvidence:
    """Return what `none` shall look like: state expires, the workflows go on, nothing twice."""
    runs = [*activity(1, []), *activity(2, []), *going_on(1), *going_on(2), *more]
    return build(runs, scenario=NOT_LOST, first_again_unix_ms=None, **changes)


def endless_off(**changes: Any) -> ArmEvidence:
    runs = activity(1, every(2010)) + activity(2, every(2010))
    return build(runs, **changes)


def endless_cap(**changes: Any) -> ArmEvidence:
    runs = [*activity(1, _paid_then_refused()), *activity(2, _paid_then_refused())]
    refused_from = FIRST_AGAIN + 6000
    for run in runs:
        if run["started_unix_ms"] >= refused_from:
            run["outcome"] = "refused"
            run["ended_unix_ms"] = run["started_unix_ms"] + 10
    return build(runs, arm="cap", **changes)


def _paid_then_refused() -> list[int]:
    return [*every(2000, until=FIRST_AGAIN + 6000), *every(1000, since=FIRST_AGAIN + 6000)]


def statuses(verdict: Verdict) -> dict[tuple[str, str], Status]:
    return {(p.arm, p.name): p.status for arm in verdict.arms for p in arm.properties}


def test_an_endless_redelivery_under_both_arms_is_reproduced_as_expected() -> None:
    """On 1.16.1 all activities running for ever, and a cap that held, is what must be seen."""
    verdict = judge([endless_off(), endless_cap()])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.AS_EXPECTED)
    assert verdict.reasons == ()
    assert verdict.expected is Again.ENDLESS
    assert "of 2 activities in flight at the sidecar kill, all ran again without end" in (
        verdict.sentence
    )
    assert "one execution per 2.01 s" in verdict.sentence
    assert "a cap of $1.20 held spend at $0.192" in verdict.sentence
    assert statuses(verdict)["off", "the cap tripped"] is Status.NOT_APPLICABLE
    assert statuses(verdict)["cap", "the cap tripped"] is Status.HAPPENED


def test_the_capped_arm_pays_nothing_in_its_steady_window() -> None:
    """After the cut executions go on at one a second each, and no call is paid."""
    rates = judge([endless_cap()]).arms[0].rates
    assert rates.paid_calls_per_s == 0
    assert rates.nano_usd_per_hour == 0
    assert rates.executions_per_s == pytest.approx(2.0)
    assert rates.refusals_per_s == pytest.approx(2.0)


def test_exactly_once_more_is_expected_of_a_fixed_version() -> None:
    """On 1.18.3 each activity runs once more, which is NOT REPRODUCED and exit code 0."""
    once = build(activity(1, [FIRST_AGAIN]) + activity(2, [FIRST_AGAIN + 3]), scenario=FIXED)
    verdict = judge([once])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.NOT_REPRODUCED, ExitCode.AS_EXPECTED)
    assert "each ran exactly once more" in verdict.sentence


@pytest.mark.parametrize("again", [[], [FIRST_AGAIN, FIRST_AGAIN + 2000]])
def test_a_fixed_version_that_runs_never_or_twice_more_is_not_as_expected(again: list[int]) -> None:
    """Once means once: neither none nor two more executions pass for 1.18.3."""
    verdict = judge([build(activity(1, again) + activity(2, again), scenario=FIXED)])
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED
    assert "expected once" in verdict.reasons[0]


def test_a_vulnerable_version_that_stops_is_not_as_expected() -> None:
    """An activity that ran only once more on 1.16.1 is NOT REPRODUCED with exit code 1."""
    verdict = judge([build(activity(1, [FIRST_AGAIN]) + activity(2, [FIRST_AGAIN]))])
    assert verdict.outcome is Outcome.NOT_REPRODUCED
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED


def test_one_activity_that_stopped_among_endless_ones_is_not_as_expected() -> None:
    """A runaway of some is reproduced; that not all ran away is said, with exit code 1."""
    verdict = judge([build(activity(1, every(2010)) + activity(2, [FIRST_AGAIN]))])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.NOT_AS_EXPECTED)
    assert verdict.reasons == ("arm off: expected endless, saw 1 endless, 1 once of 2 in flight",)


@pytest.mark.parametrize("first", ["off", "cap"])
def test_a_runaway_in_one_arm_is_a_runaway(first: str) -> None:
    """One arm without end makes it REPRODUCED; that the other stopped is said, with exit code 1."""
    twice = [FIRST_AGAIN, FIRST_AGAIN + 1000]
    stopped = build(
        activity(1, twice, refused_from=FIRST_AGAIN) + activity(2, twice, refused_from=FIRST_AGAIN),
        arm="cap",
    )
    endless = endless_off()
    verdict = judge([endless, stopped] if first == "off" else [stopped, endless])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.NOT_AS_EXPECTED)
    assert verdict.reasons == ("arm cap: expected endless, saw 2 ended of 2 in flight",)
    for text in (
        "in arm off of 2 activities in flight at the sidecar kill, all ran again without end",
        "in arm cap of 2 activities in flight at the sidecar kill, all ran again several times",
    ):
        assert text in verdict.sentence


def test_an_endless_redelivery_that_is_too_slow_is_not_as_expected() -> None:
    """One execution per 3 s of a 2-s activity is slower than the retry policy allows."""
    verdict = judge([build(activity(1, every(3000)) + activity(2, every(3000)))])
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED
    assert "expected one execution per 2.00 s, saw one per 3.00 s" in verdict.reasons[0]


def test_nothing_runs_again_when_nothing_was_disrupted() -> None:
    """With `none` expiry alone makes no activity run again, on a vulnerable version too."""
    verdict = judge([undisturbed()])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.NOT_REPRODUCED, ExitCode.AS_EXPECTED)
    assert "while the state expired, no activity ran again" in verdict.sentence
    named = statuses(verdict)["off", "an activity was in flight at the disruption"]
    assert named is Status.NOT_APPLICABLE


def test_a_runaway_that_begins_after_the_load_is_seen_although_nothing_was_disrupted() -> None:
    """With `none` any activity that comes again is unexpected, whenever it first began."""
    later = [
        {**execution(n, start, 2000, run), "execution_id": f"later-{n}"}
        for n in (1, 2)
        for run, start in enumerate(every(2010), 1)
    ]
    verdict = judge([undisturbed(*later)])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.NOT_AS_EXPECTED)
    named = statuses(verdict)
    assert named["off", "no activity was executed again"] is Status.BROKEN
    assert named["off", "no paid call was a duplicate"] is Status.BROKEN
    assert "arm off: expected never, saw 2 endless of 2 executed again" in verdict.reasons
    assert "while the state expired, 2 activities ran again without end" in verdict.sentence
    assert verdict.arms[0].redelivery.in_flight == 2


@pytest.mark.parametrize("at", [BLOW - 900, BLOW + 3000, UNTIL + 100])
def test_one_execution_too_many_is_not_as_expected_when_nothing_was_disrupted(at: int) -> None:
    """One activity executed twice, at any moment of the arm, is never exit code 0."""
    verdict = judge([undisturbed(execution(1, at, 2000, 2))])
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED
    assert "1 of 32 activities were; executions too many: 1" in verdict.reasons[0]


def test_a_duplicate_that_only_the_llm_noticed_is_not_as_expected() -> None:
    """With `none` a paid duplicate breaks the run although the app saw no second execution."""
    arm = undisturbed()
    calls = (*arm.calls[:-1], arm.calls[-1].model_copy(update={"duplicate": True}))
    verdict = judge([arm.model_copy(update={"calls": calls})])
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED
    assert (
        "“no paid call was a duplicate” is broken: 1 of 32 were, for $0.024" in verdict.reasons[0]
    )


def test_an_engine_that_stood_still_is_unknown_when_nothing_was_disrupted() -> None:
    """That nothing ran again says nothing when nothing ran at all after the expiry."""
    dead = build(activity(1, []) + activity(2, []), scenario=NOT_LOST, first_again_unix_ms=None)
    verdict = judge([dead])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNKNOWN, ExitCode.UNKNOWN)
    assert "0 of 2 that lost state executed an activity after it" in verdict.reasons[0]


def test_state_that_expired_after_the_observation_does_not_count() -> None:
    """Once the lab has taken the engine away for the draining, expiry proves nothing."""
    before, after = polls(2)
    late = [before, {**after, "t_unix_ms": UNTIL + 1}]
    runs = execution(1, UNTIL + 500, 2000, 1)
    verdict = judge([undisturbed({**runs, "execution_id": "queued"}, keys=late)])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNKNOWN, ExitCode.UNKNOWN)
    assert "state expired while a workflow ran" in verdict.reasons[0]


def test_state_that_never_expired_makes_the_run_unknown() -> None:
    """A run in which no state expired can't pass, whatever else was seen."""
    verdict = judge([endless_off(keys=polls(2, gone=False))])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNKNOWN, ExitCode.UNKNOWN)
    assert "state expired while a workflow ran" in verdict.reasons[0]


def test_state_that_expired_after_the_end_of_its_workflow_does_not_count() -> None:
    """Losing the state of a workflow that had finished is no loss."""
    finished = [workflow(1, finished=True), workflow(2, finished=True)]
    runs = activity(1, []) + activity(2, [])
    verdict = judge([build(runs, scenario=NOT_LOST, finals=finished)])
    assert verdict.exit_code is ExitCode.UNKNOWN
    assert "0 of 2 workflows lost state" in verdict.reasons[0]


def test_no_activity_in_flight_at_the_blow_makes_the_run_unknown() -> None:
    """A disruption that hit nothing proves nothing."""
    verdict = judge([build([], first_again_unix_ms=None)])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNKNOWN, ExitCode.UNKNOWN)


def test_a_cap_that_never_tripped_makes_the_run_unknown() -> None:
    """An arm whose cap was never reached says nothing about the cap."""
    runs = activity(1, every(2010)) + activity(2, every(2010))
    verdict = judge([build(runs, arm="cap", cap_usd="500")])
    assert verdict.exit_code is ExitCode.UNKNOWN
    assert "the cap tripped" in verdict.reasons[0]
    assert "a cap of $500.00 was not reached" in verdict.sentence
    assert "held" not in verdict.sentence


@given(over=st.integers(min_value=1, max_value=10**12))
def test_any_overshoot_breaks_the_run(over: int) -> None:
    """One nano-dollar above the cap, seen by any one witness, is never as expected."""
    arm = endless_cap()
    limit = arm.limit_nano_usd
    assert limit is not None
    witness = {"exit_code": 0, "timeline": [{"t_unix_ms": UNTIL, "nano_usd": limit + over}]}
    verdict = judge([endless_cap(load=witness)])
    assert statuses(verdict)["cap", "spend is never above the limit"] is Status.BROKEN
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED


@given(drift=st.integers(min_value=-COST, max_value=COST).filter(bool))
def test_ledgers_that_differ_by_any_amount_break_the_run(drift: int) -> None:
    """The budget's total must be the LLM's, to the nano-dollar, in both directions."""
    arm = endless_off()
    budget = arm.budget.model_copy(update={"spent": arm.budget.spent + drift})
    verdict = judge([arm.model_copy(update={"budget": budget})])
    assert statuses(verdict)["off", "the budget's ledger equals the LLM's"] is Status.BROKEN
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED


@given(drift=st.integers(min_value=-COST, max_value=COST).filter(bool), which=st.integers(0, 5))
def test_one_call_settled_at_another_price_breaks_the_run(drift: int, which: int) -> None:
    """Usage is compared call by call, so that errors can't cancel out in a sum."""
    arm = endless_off()
    settles = [e for e in arm.ledger if e.event == "settle"]
    wrong = settles[which]
    changed = tuple(
        e.model_copy(update={"cost": COST + drift}) if e.seq == wrong.seq else e for e in arm.ledger
    )
    verdict = judge([arm.model_copy(update={"ledger": changed})])
    name = "the LLM's ledger is the sum of the usage that clients saw"
    assert statuses(verdict)["off", name] is Status.BROKEN


@given(requested=st.integers(min_value=REQUESTED, max_value=10**12))
def test_a_call_as_large_as_a_refused_one_may_never_follow(requested: int) -> None:
    """After a refusal, letting through a call at least as large is broken."""
    arm = endless_cap()
    late = arm.decisions[-1].model_copy(
        update={"seq": 10_000, "decision": "allow", "code": None, "requested": requested}
    )
    verdict = judge([arm.model_copy(update={"decisions": (*arm.decisions, late)})])
    name = "no call as large as a refused one is served after it"
    assert statuses(verdict)["cap", name] is Status.BROKEN


@given(requested=st.integers(min_value=0, max_value=REQUESTED - 1))
def test_a_smaller_call_may_follow_a_refused_one(requested: int) -> None:
    """What still fits under the cap may be served."""
    arm = endless_cap()
    late = arm.decisions[-1].model_copy(
        update={"seq": 10_000, "decision": "allow", "code": None, "requested": requested}
    )
    verdict = judge([arm.model_copy(update={"decisions": (*arm.decisions, late)})])
    assert verdict.exit_code is ExitCode.AS_EXPECTED


@pytest.mark.parametrize("feed", ["calls", "ledger", "decisions", "executions", "workflows"])
@pytest.mark.parametrize("make", [endless_off, endless_cap, undisturbed])
def test_a_feed_that_lost_entries_never_passes(make: Callable[..., ArmEvidence], feed: str) -> None:
    """What rests on an incomplete feed is unknown, and so is the run."""
    verdict = judge([make(missing=(f"{feed}: 3 entries were lost",))])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNKNOWN, ExitCode.UNKNOWN)
    assert "3 entries were lost" in verdict.reasons[0]


SAFETY = 1000 * 10**9


def refused_in_arm_off(requested: int) -> Verdict:
    arm = endless_off()
    budget = arm.budget.model_copy(update={"cut_off_unix_ms": BLOW + 20_000, "refusals": 1})
    late = (
        arm.decisions[-1]
        .model_copy(update={"seq": 10_000, "decision": "deny", "code": "budget_exceeded"})
        .model_copy(update={"requested": requested})
    )
    decisions = (*arm.decisions, late)
    return judge([arm.model_copy(update={"budget": budget, "decisions": decisions})])


@given(requested=st.integers(min_value=1, max_value=SAFETY))
def test_the_safety_stop_ends_with_the_guards_exit_code(requested: int) -> None:
    """Reaching the safety limit in the arm without a cap was not asked for: exit code 3."""
    verdict = refused_in_arm_off(requested)
    assert verdict.exit_code is ExitCode.GUARD_STOPPED
    assert verdict.reasons == ("arm off: stopped by its spending guard at $1,000.00",)


@given(requested=st.integers(min_value=SAFETY + 1, max_value=10 * SAFETY))
def test_a_call_that_no_budget_could_carry_is_no_safety_stop(requested: int) -> None:
    """A call larger than the whole safety limit is refused for its size; nothing was stopped."""
    verdict = refused_in_arm_off(requested)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.AS_EXPECTED)


def test_a_run_that_could_not_end_is_unknown_with_its_reason() -> None:
    """A service that died is never a pass."""
    verdict = failed("budget ended by itself (signal 9); its last log lines:\n…")
    assert (verdict.outcome, verdict.exit_code) == (Outcome.UNKNOWN, ExitCode.UNKNOWN)
    assert verdict.sentence.startswith("budget ended by itself")


@pytest.mark.parametrize("code", ["budget_exceeded", "request_exceeds_budget"])
def test_the_cap_trips_whatever_a_shorter_call_might_still_cost(code: str) -> None:
    """What spent money leaves no room for is refused for good, though a smaller call may fit."""
    arm = endless_cap()
    decisions = [
        d.model_copy(update={"code": code}) if d.decision == "deny" else d for d in arm.decisions
    ]
    verdict = judge([arm.model_copy(update={"decisions": tuple(decisions)})])
    assert statuses(verdict)["cap", "the cap tripped"] is Status.HAPPENED
