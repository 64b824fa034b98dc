from collections import Counter
from typing import Any

from lab.pictures.kinds import Kind, kinds
from tests.lab.evidence_builder import (
    BLOW,
    COST,
    FIRST_AGAIN,
    REQUESTED,
    activity,
    build,
    every,
    execution,
    going_on,
)
from tests.lab.full_evidence import NTH, stopped_arm
from tests.lab.run_builder import build_cap


def counts(arm: Any) -> Counter[Kind]:
    return Counter(kind for _, kind in kinds(arm))


def test_what_came_again_is_told_from_what_ran_first() -> None:
    """The first execution of an activity is one kind, each further paid one another."""
    again = every(2000)
    found = counts(build(activity(1, again), workflows=1))
    assert found == {Kind.FIRST: 1, Kind.AGAIN: len(again)}


def test_a_refused_execution_is_told_from_a_paid_one() -> None:
    """What the app saw refused is refused, whichever time it ran."""
    found = counts(build_cap(2))
    assert found[Kind.REFUSED] == build_cap(2).budget.refusals
    assert found[Kind.AGAIN] > 0


def test_a_refusal_for_the_moment_is_told_from_a_failure() -> None:
    """An error in an execution whose call the gateway denied is a refusal, any other a failure."""
    runs = activity(1, [FIRST_AGAIN, FIRST_AGAIN + 2000])
    for run in runs[1:]:
        run["outcome"] = "error"
    denied = {
        "seq": 1,
        "at_unix_ms": FIRST_AGAIN + 5,
        "decision": "deny",
        "code": "budget_in_flight",
        "execution_id": "execution-1",
        "task_id": "3",
        "requested": {"nano_usd": REQUESTED},
    }
    found = counts(build(runs, workflows=1, decisions=[denied]))
    assert found == {Kind.FIRST: 1, Kind.HELD: 1, Kind.FAILED: 1}


def test_a_replayed_execution_is_one_that_the_llm_never_charged() -> None:
    """In arm full each activity is paid once; what ran again cost nothing."""
    arm = stopped_arm(workflows=2)
    found = counts(arm)
    assert found[Kind.REPLAYED] == 2 * (NTH - 1)
    assert found[Kind.AGAIN] == 0
    assert found[Kind.FIRST] * COST == arm.spend.nano_usd


def test_a_second_charge_of_an_activity_is_never_called_a_replay() -> None:
    """Where some answers were replayed, an execution that was paid again still counts as paid."""
    arm = stopped_arm(workflows=1)
    first = next(call for call in arm.calls if call.execution_id == "execution-1")
    late = first.model_copy(
        update={"seq": 99, "started_unix_ms": FIRST_AGAIN, "ended_unix_ms": FIRST_AGAIN + 10}
    )
    charged_twice = arm.model_copy(update={"calls": (*arm.calls, late)})
    assert counts(charged_twice)[Kind.AGAIN] == 1


def test_a_workflow_that_goes_on_without_its_state_is_told_from_one_that_has_it() -> None:
    """With nothing disrupted, steps after the expiry are a kind of their own."""
    runs = [execution(1, BLOW - 4000, 2000, 1), *going_on(1)]
    arm = build(runs, workflows=1, scenario={"disrupt": "none"}, first_again_unix_ms=None)
    found = counts(arm)
    assert found[Kind.FIRST] + found[Kind.FIRST_EXPIRED] == len(runs)
    assert found[Kind.FIRST] > 0
    assert found[Kind.FIRST_EXPIRED] > 0
