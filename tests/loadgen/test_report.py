from typing import Any

import pytest

from loadgen.guard import BudgetState, Ledger, Meter
from loadgen.options import OPTIONS, parse_options
from loadgen.outcomes import Outcome, Run
from loadgen.report import INSTANCES_LIMIT, Verdict, judge, summary, timeline_line

DEFAULTS = {spec.dest: spec.default for spec in OPTIONS}


def options(expect: str = "finished") -> Any:
    return parse_options({**DEFAULTS, "expect": expect, "run_id": "r"}, "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("state", "finished", "anything"),
    [
        (Outcome.FINISHED, 0, 0),
        (Outcome.FAILED, 1, 0),
        (Outcome.LOST, 1, 0),
        (Outcome.STUCK, 1, 0),
        (Outcome.START_FAILED, 1, 1),
        (Outcome.NOT_STARTED, 1, 1),
    ],
)
def test_what_is_expected_decides_the_exit_code(
    state: Outcome, finished: int, anything: int
) -> None:
    """A workflow must finish, or at least start, by what the run expects."""
    finals = {"a": Outcome.FINISHED, "b": state}
    assert judge(finals, options(), stopped=None).exit_code == finished
    assert judge(finals, options("any"), stopped=None).exit_code == anything


def test_the_guard_outweighs_all_else() -> None:
    """A run that cost too much is 3, whatever became of its workflows."""
    verdict = judge({"a": Outcome.FINISHED}, options("any"), stopped="spent $2")
    assert verdict == Verdict(3, "the guard stopped the run: spent $2")


def test_the_reason_counts_what_went_wrong() -> None:
    """One sentence says how many of how many."""
    finals = {"a": Outcome.LOST, "b": Outcome.LOST, "c": Outcome.STUCK, "d": Outcome.FINISHED}
    reason = judge(finals, options(), stopped=None).reason
    assert reason == "of 4 workflows 2 lost, 1 stuck"


def test_a_bounded_summary_shows_what_went_wrong_first() -> None:
    """However large a run was, its summary is small and names the bad ones."""
    finals = dict.fromkeys(map(str, range(INSTANCES_LIMIT)), Outcome.FINISHED)
    finals["late"] = Outcome.STUCK
    written = summary(finals, options(), Verdict(1, "why"))
    assert len(written["instances"]) == INSTANCES_LIMIT
    assert written["instances"][0] == {"id": "late", "state": "stuck"}
    assert (written["started"], written["finished"]) == (INSTANCES_LIMIT + 1, INSTANCES_LIMIT)


def test_a_timeline_line_has_the_contracts_fields() -> None:
    """Money stands in it as an integer and as text with nine decimals."""
    run, meter = Run(["a"]), Meter()
    run.accepted("a")
    meter.read(Ledger(0, 0, 0), None, now_s=0)
    meter.read(Ledger(2, 1, 14_660_000), BudgetState("cap", cut_off=True, nano_usd=0), now_s=1)
    assert timeline_line(run, meter, t_unix_ms=7) == {
        "t_unix_ms": 7,
        "started": 1,
        "finished": 0,
        "failed": 0,
        "lost": 0,
        "in_flight": 1,
        "executions": 0,
        "calls": 2,
        "duplicate_calls": 1,
        "nano_usd": 14_660_000,
        "usd": "0.014660000",
        "budget": {"mode": "cap", "cut_off": True},
    }


def test_what_no_service_told_is_null() -> None:
    """A ledger that does not answer is not a ledger that says zero."""
    line = timeline_line(Run(["a"]), Meter(), t_unix_ms=7)
    assert [line[key] for key in ("calls", "nano_usd", "usd", "budget")] == [None] * 4
