"""The two files of a run: a timeline line a second, and the summary with the verdict."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from loadgen.guard import Meter, format_usd
from loadgen.options import Options
from loadgen.outcomes import Outcome, Run

EXIT_OK: Final = 0
EXIT_CHECK_FAILED: Final = 1
EXIT_COULD_NOT_RUN: Final = 2
EXIT_GUARD: Final = 3

INSTANCES_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The exit code of a run, and one sentence that says why."""

    exit_code: int
    reason: str


def timeline_line(run: Run, meter: Meter, *, t_unix_ms: int) -> dict[str, Any]:
    """Return the state of the run at one moment; money and calls count from its beginning."""
    used, budget = meter.used, meter.budget
    return {
        "t_unix_ms": t_unix_ms,
        "started": run.started,
        "finished": run.counts[Outcome.FINISHED],
        "failed": run.counts[Outcome.FAILED],
        "lost": run.counts[Outcome.LOST],
        "in_flight": run.counts[Outcome.OPEN],
        "executions": run.executions,
        "calls": used.calls if used else None,
        "duplicate_calls": used.duplicate_calls if used else None,
        "nano_usd": used.nano_usd if used else None,
        "usd": format_usd(used.nano_usd) if used else None,
        "budget": {"mode": budget.mode, "cut_off": budget.cut_off} if budget else None,
    }


def judge(finals: Mapping[str, Outcome], options: Options, *, stopped: str | None) -> Verdict:
    """Say whether the run went as expected.

    Args:
        finals: What became of each planned workflow.
        options: What was expected.
        stopped: Why the guard stopped the run, if it did.
    """
    if stopped is not None:
        return Verdict(EXIT_GUARD, f"the guard stopped the run: {stopped}")
    counts = Counter(finals.values())
    bad = [Outcome.NOT_STARTED, Outcome.START_FAILED]
    if options.expect == "finished":
        bad += [Outcome.FAILED, Outcome.LOST, Outcome.STUCK]
    found = [f"{counts[state]} {state.replace('_', ' ')}" for state in bad if counts[state]]
    if found:
        return Verdict(EXIT_CHECK_FAILED, f"of {len(finals)} workflows {', '.join(found)}")
    if options.expect == "finished":
        return Verdict(EXIT_OK, f"all {len(finals)} workflows finished")
    done = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return Verdict(EXIT_OK, f"all {len(finals)} workflows started: {done}")


def summary(finals: Mapping[str, Outcome], options: Options, verdict: Verdict) -> dict[str, Any]:
    """Return the summary; the workflows that did not finish come first in its bounded list."""
    counts = Counter(finals.values())
    listed = sorted(finals.items(), key=lambda item: item[1] is Outcome.FINISHED)
    not_started = counts[Outcome.START_FAILED] + counts[Outcome.NOT_STARTED]
    return {
        "run_id": options.run_id,
        "started": len(finals) - not_started,
        "start_failures": counts[Outcome.START_FAILED],
        "not_started": counts[Outcome.NOT_STARTED],
        "finished": counts[Outcome.FINISHED],
        "failed": counts[Outcome.FAILED],
        "lost": counts[Outcome.LOST],
        "stuck": counts[Outcome.STUCK],
        "exit_code": verdict.exit_code,
        "reason": verdict.reason,
        "instances": [
            {"id": instance_id, "state": str(state)}
            for instance_id, state in listed[:INSTANCES_LIMIT]
        ],
    }
