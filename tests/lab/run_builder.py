"""Builds the arms of a run of any size, with the steps before the blow and the load's timeline."""

from typing import Any

from lab.evidence import ArmEvidence
from tests.lab.evidence_builder import (
    BACK,
    BLOW,
    COST,
    FIRST_AGAIN,
    REQUESTED,
    UNTIL,
    activity,
    build,
    every,
    execution,
)
from tests.lab.full_evidence import stopped_arm

REFUSED_FROM = FIRST_AGAIN + 6000
_STEP_MS = 2400


def three_arms(workflows: int) -> list[ArmEvidence]:
    """Return all arms of one run."""
    return [build_off(workflows), build_cap(workflows), build_full(workflows)]


def build_off(workflows: int, *, period_ms: int = 2010, **changes: Any) -> ArmEvidence:
    """Return the arm that nobody watches: everything runs again, and is paid."""
    runs = [
        run
        for n in range(1, workflows + 1)
        for run in [*_steps(n), *activity(n, every(period_ms, FIRST_AGAIN + 90 * (n % 7)))]
    ]
    return build(runs, **{"workflows": workflows, "load": load(workflows), **changes})


def build_cap(workflows: int, **changes: Any) -> ArmEvidence:
    """Return the arm with a cap: everything runs on into refusals."""
    starts = [*every(2000, until=REFUSED_FROM), *every(1000, since=REFUSED_FROM)]
    runs = [
        run
        for n in range(1, workflows + 1)
        for run in [*_steps(n), *activity(n, starts, refused_from=REFUSED_FROM)]
    ]
    paid = sum(run["outcome"] == "ok" for run in runs)
    # All may have a call in flight at once, whose worst case is held beside what is spent.
    cents = (paid * COST + workflows * REQUESTED) // 10**7 + 1
    cap = f"{cents // 100}.{cents % 100:02d}"
    changes = {"workflows": workflows, "load": load(workflows), "cap_usd": cap, **changes}
    return build(runs, arm="cap", **changes)


def build_full(workflows: int, **changes: Any) -> ArmEvidence:
    """Return the arm that replays, and stops each runaway at its source."""
    return stopped_arm(workflows=workflows, **{"load": load(workflows), **changes})


def load(workflows: int) -> dict[str, Any]:
    """Return what the load generator wrote: all start, run, and are lost with their state."""
    timeline = []
    for at in range(BLOW - 8000, UNTIL, 1000):
        started = min(workflows, max(0, (at - (BLOW - 6000)) * workflows // 2000))
        lost = workflows if at > BACK + 500 else 0
        counts = {"started": started, "lost": lost, "in_flight": started - lost}
        timeline.append({"t_unix_ms": at, "finished": 0, "failed": 0, **counts})
    summary = {"started": workflows, "lost": workflows, "finished": 0}
    return {"exit_code": 0, "summary": summary, "timeline": timeline}


def _steps(n: int) -> list[dict[str, Any]]:
    """Return the steps that a workflow took before the blow."""
    starts = range(BLOW - 1000 - 2 * _STEP_MS + 37 * (n % 9), BLOW - 2000, _STEP_MS)
    return [
        {**execution(n, at, 2000, 1), "task_id": step, "execution_id": f"step-{n}-{step}"}
        for step, at in enumerate(starts, 1)
    ]
