from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.outcomes import Outcome, Run


def entry(instance_id: str, status: str | None, *, finished: bool = False) -> dict[str, Any]:
    return {
        "instance_id": instance_id,
        "engine": {"status": status},
        "app": {"executions": 3, "in_flight": 1, "finished": finished},
    }


def one(*, accepted: bool = True) -> Run:
    run = Run(["a"])
    run.asked("a")
    if accepted:
        run.accepted("a")
    return run


def state(run: Run) -> Outcome:
    [(found, _)] = [(key, count) for key, count in run.counts.items() if count]
    return found


@pytest.mark.parametrize(
    ("status", "returned", "now", "at_end"),
    [
        ("COMPLETED", True, Outcome.FINISHED, Outcome.FINISHED),
        ("COMPLETED", False, Outcome.FINISHED, Outcome.FINISHED),
        ("FAILED", False, Outcome.FAILED, Outcome.FAILED),
        ("FAILED", True, Outcome.FAILED, Outcome.FAILED),
        ("TERMINATED", False, Outcome.FAILED, Outcome.FAILED),
        ("NOT_FOUND", True, Outcome.FINISHED, Outcome.FINISHED),
        ("NOT_FOUND", False, Outcome.LOST, Outcome.LOST),
        ("RUNNING", False, Outcome.OPEN, Outcome.STUCK),
        ("PENDING", False, Outcome.OPEN, Outcome.STUCK),
        ("SUSPENDED", False, Outcome.OPEN, Outcome.STUCK),
        ("UNREACHABLE", False, Outcome.OPEN, Outcome.STUCK),
        ("UNKNOWN", False, Outcome.OPEN, Outcome.STUCK),
        (None, False, Outcome.OPEN, Outcome.STUCK),
    ],
)
def test_engine_and_app_together_decide(
    status: str | None,
    returned: bool,  # noqa: FBT001 - a column of the table
    now: Outcome,
    at_end: Outcome,
) -> None:
    """Finished is what the engine or the function's return proves; lost is what it denies."""
    run = one()
    run.saw(entry("a", status, finished=returned))
    assert (state(run), run.finals()) == (now, {"a": at_end})


def test_an_accepted_workflow_that_never_appears_is_lost() -> None:
    """A 202 alone proves nothing."""
    run = one()
    assert (state(run), run.finals()["a"]) == (Outcome.OPEN, Outcome.LOST)


def test_a_refused_start_has_failed() -> None:
    """A workflow that was never accepted and never seen is no lost one."""
    run = one(accepted=False)
    run.refused("a", "503")
    assert (state(run), run.started) == (Outcome.START_FAILED, 0)


def test_a_start_without_an_answer_counts_once_it_appears() -> None:
    """A lost response is matched by its id."""
    run = one(accepted=False)
    run.refused("a", "no answer")
    run.saw(entry("a", "RUNNING"))
    assert (state(run), run.started) == (Outcome.OPEN, 1)


def test_a_start_that_the_end_cut_short_has_failed() -> None:
    """Sent but never answered is not the same as never sent."""
    assert one(accepted=False).finals() == {"a": Outcome.START_FAILED}
    assert Run(["a"]).finals() == {"a": Outcome.NOT_STARTED}


def test_a_lost_workflow_may_come_back() -> None:
    """The engine's denial is no end: a run goes on watching."""
    run = one()
    run.saw(entry("a", "NOT_FOUND"))
    assert not run.settled
    assert run.saw(entry("a", "COMPLETED"))
    assert run.settled


def test_a_workflow_finishes_once() -> None:
    """Its end is timed at the first sight of it, not at each."""
    run = one()
    assert [run.saw(entry("a", "COMPLETED")) for _ in range(2)] == [True, False]


def test_the_workflows_of_others_are_passed_over() -> None:
    """A run judges its own ids alone."""
    run = one()
    assert not run.saw(entry("somebody-else", "COMPLETED"))
    assert run.finals() == {"a": Outcome.LOST}


def test_executions_are_counted_with_those_that_run() -> None:
    """The newest entry of each workflow counts, not the sum of all its entries."""
    run = Run(["a", "b"])
    for instance_id in ("a", "b", "a"):
        run.saw(entry(instance_id, "RUNNING"))
    assert run.executions == 8


_EVENTS = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["asked", "accepted", "refused", "RUNNING", "NOT_FOUND", "COMPLETED"]),
)


@given(st.lists(_EVENTS, max_size=30))
def test_every_workflow_has_exactly_one_outcome(events: list[tuple[str, str]]) -> None:
    """Whatever happens in whatever order, the counts add up to the run."""
    run = Run(["a", "b", "c"])
    for instance_id, event in events:
        match event:
            case "asked":
                run.asked(instance_id)
            case "accepted":
                run.accepted(instance_id)
            case "refused":
                run.refused(instance_id, "why")
            case _:
                run.saw(entry(instance_id, event))
    assert min(run.counts.values()) >= 0
    assert sum(run.counts.values()) == 3
    assert Outcome.OPEN not in run.finals().values()
