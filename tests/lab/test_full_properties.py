from typing import Any

import pytest

from lab.evidence import ArmEvidence
from lab.expectation import Again
from lab.full_properties import full_properties
from lab.judgement import Outcome
from lab.property_result import Status
from lab.verdict import ExitCode, judge
from tests.lab.evidence_builder import COST, FIRST_AGAIN, UNTIL, activity, build, every
from tests.lab.full_evidence import (
    CONTROL,
    NTH,
    control_view,
    control_workflow,
    stopped,
    stopped_arm,
)
from tests.lab.test_verdict import endless_cap, endless_off

ONCE = "each activity was charged once"
REPLAYED = "a repeated call was answered without a charge"
STOPPED = "the gateway stopped each runaway at its source"
ENDED = "executions end within 5 s of the one that tells a runaway"
NO_JOB = "the scheduler holds no job of a disrupted workflow"
UNHARMED = "healthy workflows beside it complete, with no job deleted"


def came_out(
    evidence: ArmEvidence, name: str, expected: Again = Again.ENDLESS
) -> tuple[Status, str]:
    found = next(p for p in full_properties(evidence, expected) if p.name == name)
    return found.status, found.detail


def test_an_arm_that_was_stopped_at_its_source_is_as_expected() -> None:
    """Beside two arms that run on, the stopped one is what shall be, and the sentence says how."""
    verdict = judge([endless_off(), endless_cap(), stopped_arm()])
    assert verdict.reasons == ()
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.AS_EXPECTED)
    assert verdict.sentence.endswith(
        "; with replay and source stop $0.12 were spent: its 2 workflows were stopped at the "
        "source, the last execution 0.00 s after execution 5 of its activity."
    )


def test_a_stopped_arm_alone_has_seen_the_runaway() -> None:
    """What the gateway had to end was there: REPRODUCED, though nothing is endless in the end."""
    verdict = judge([stopped_arm()])
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REPRODUCED, ExitCode.AS_EXPECTED)


def test_a_stopped_arm_that_goes_on_is_not_as_expected() -> None:
    """Executions that come again without end in arm full are a surprise, with exit code 1."""
    verdict = judge([stopped_arm(again=every(1000))])
    assert verdict.exit_code is ExitCode.NOT_AS_EXPECTED
    assert "arm full: expected ended, saw 2 endless of 2 in flight" in verdict.reasons


def test_every_property_holds_with_its_figures() -> None:
    """The stopped arm shows each property with the numbers that decided it."""
    arm = stopped_arm()
    assert came_out(arm, ONCE) == (Status.HELD, "5 paid calls of 5 activities, at most 1 of one")
    assert came_out(arm, REPLAYED) == (Status.HAPPENED, "8 calls got the stored answer")
    assert came_out(arm, STOPPED) == (Status.HELD, "2 of 2 stopped, 2 jobs deleted in all")
    assert came_out(arm, NO_JOB) == (Status.HELD, "0 left when the observation ended")
    assert came_out(arm, UNHARMED) == (Status.HELD, "1 completed, for $0.072")
    status, detail = came_out(arm, ENDED)
    assert status is Status.HELD
    assert detail.startswith(f"2 of 2 reached execution {NTH} of one activity; ")


@pytest.mark.parametrize("arm", [endless_off(), endless_cap()])
def test_the_other_arms_have_none_of_it(arm: ArmEvidence) -> None:
    """Replay and source stop say nothing about an arm that has neither."""
    results = full_properties(arm, Again.ENDLESS)
    assert {p.status for p in results} == {Status.NOT_APPLICABLE}


def test_a_second_charge_breaks_it() -> None:
    """Two paid calls of one activity are one too many."""
    arm = build(activity(1, [FIRST_AGAIN]), arm="full", workflows=1)
    assert came_out(arm, ONCE) == (Status.BROKEN, "2 paid calls of 1 activities, at most 2 of one")


def test_an_execution_six_seconds_later_breaks_it() -> None:
    """Five seconds after the N-th execution all is quiet, or it is broken."""
    starts = [FIRST_AGAIN + 100 * n for n in range(NTH - 1)]
    late = [*starts, starts[-1] + 5_001]
    status, detail = came_out(stopped_arm(again=late), ENDED)
    assert status is Status.BROKEN
    assert "at most 5.00 s after it" in detail
    assert came_out(stopped_arm(again=[*starts, starts[-1] + 5_000]), ENDED)[0] is Status.HELD


def test_another_activity_of_the_workflow_that_goes_on_breaks_it() -> None:
    """It is the workflow that is stopped: whatever of it is executed later counts."""
    arm = stopped_arm()
    late = arm.executions[-1].model_copy(
        update={
            "seq": 10_000,
            "instance": "run-1",
            "execution_id": "another",
            "started_unix_ms": UNTIL - 1000,
            "ended_unix_ms": UNTIL - 990,
        }
    )
    status, detail = came_out(arm.model_copy(update={"executions": (*arm.executions, late)}), ENDED)
    assert status is Status.BROKEN
    assert "s after it" in detail


def test_a_runaway_that_the_gateway_did_not_stop_breaks_it_by_name() -> None:
    """One source stop is not enough where two workflows are lost."""
    views = [stopped(1, 4), stopped(2, 4, state="failed", jobs_deleted=0), control_view()]
    assert came_out(stopped_arm(instances=views), STOPPED) == (
        Status.BROKEN,
        "1 of 2 stopped, 1 jobs deleted in all; not stopped: run-2",
    )


def test_a_workflow_that_never_reached_the_number_breaks_it() -> None:
    """A runaway that the gateway had no cause to stop was not ended by it."""
    status, detail = came_out(stopped_arm(again=[FIRST_AGAIN, FIRST_AGAIN + 1000]), ENDED)
    assert (status, detail[:6]) == (Status.BROKEN, "0 of 2")


def test_a_job_that_is_left_breaks_it_and_a_silent_scheduler_leaves_it_open() -> None:
    """What was listed decides; what nobody could list decides nothing."""
    job = {"instance_id": "run-1", "task_id": 3, "activity": "llm_step", "execution_id": "e"}
    assert came_out(stopped_arm(jobs_left=[job]), NO_JOB)[0] is Status.BROKEN
    assert came_out(stopped_arm(jobs_left=None), NO_JOB)[0] is Status.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "harm"),
    [
        ({"finals": [control_workflow(finished=False)]}, "did not complete"),
        ({"instances": [control_view(state="zombie")]}, "is zombie"),
        ({"instances": [stopped(1, 4)]}, "is unknown to the gateway"),
        (
            {"instances": [control_view(source=stopped(1, 4)["source"])]},
            "lost 1 jobs",
        ),
    ],
)
def test_every_harm_to_a_control_workflow_is_named(changes: dict[str, Any], harm: str) -> None:
    """A control workflow that was touched in any way breaks the property, by name."""
    status, detail = came_out(stopped_arm(**changes), UNHARMED)
    assert (status, detail) == (Status.BROKEN, f"{CONTROL} {harm}")


def test_without_a_control_workflow_nothing_is_proven() -> None:
    """No healthy workflow beside the runaway: unknown, never a pass."""
    assert came_out(stopped_arm(controls=[]), UNHARMED)[0] is Status.UNKNOWN


def test_on_a_fixed_version_the_answer_is_replayed_and_nothing_is_stopped() -> None:
    """One more execution gets the stored answer; the source is left alone."""
    arm = stopped_arm(again=[FIRST_AGAIN], scenario={"profile": "1.18.3"})
    assert came_out(arm, REPLAYED, Again.ONCE)[0] is Status.HAPPENED
    for name in (STOPPED, ENDED, NO_JOB):
        assert came_out(arm, name, Again.ONCE)[0] is Status.NOT_APPLICABLE
    assert arm.spend.nano_usd == 5 * COST
