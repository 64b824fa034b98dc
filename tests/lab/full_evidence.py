"""Builds the evidence of arm `full` by hand: paid once, replayed, stopped at the N-th execution."""

from typing import Any

from lab.evidence import ArmEvidence
from tests.lab.evidence_builder import (
    BLOW,
    COST,
    FIRST_AGAIN,
    REQUESTED,
    UNTIL,
    activity,
    build,
    execution,
    ledger,
    workflow,
)

NTH = 5
CONTROL = "run"
STOPPED_AT = FIRST_AGAIN + 300


def stopped_arm(
    *, workflows: int = 2, again: list[int] | None = None, **changes: Any
) -> ArmEvidence:
    """Return an arm whose runaways were answered from the store and stopped, its control well."""
    starts = [FIRST_AGAIN + 100 * n for n in range(NTH - 1)] if again is None else again
    runs = [run for n in range(1, workflows + 1) for run in activity(n, starts, duration_ms=10)]
    healthy = [
        {
            **execution(0, BLOW + 7000 + 2500 * step, 2000, 1),
            "instance": CONTROL,
            "execution_id": f"control-{step}",
            "task_id": 2 * step + 1,
        }
        for step in range(3)
    ]
    finals = [*(workflow(n) for n in range(1, workflows + 1)), control_workflow()]
    paid = [run for run in [*runs, *healthy] if run["run"] == 1]
    full: dict[str, Any] = {
        "controls": [CONTROL],
        "instances": [*(stopped(n, len(starts)) for n in range(1, workflows + 1)), control_view()],
        "jobs_left": [],
        "finals": finals,
        "calls": [_call(seq, run) for seq, run in enumerate(paid, 1)],
        "decisions": [_decision(seq, run) for seq, run in enumerate([*runs, *healthy], 1)],
        "ledger": ledger(paid),
        "spend": {"nano_usd": len(paid) * COST, "calls": len(paid), "duplicate_calls": 0},
        "budget": _budget(len(paid)),
    }
    return build([*runs, *healthy], arm="full", workflows=workflows, **{**full, **changes})


def control_workflow(*, finished: bool = True) -> dict[str, Any]:
    """Return the app's last word on the control workflow."""
    return {**workflow(0, finished=finished), "instance_id": CONTROL}


def control_view(**changes: Any) -> dict[str, Any]:
    """Return the gateway's word on the control workflow."""
    return {
        "instance": CONTROL,
        "state": "live",
        "activities": 3,
        "calls": 3,
        "most_executions": 1,
        "spent": {"nano_usd": 3 * COST},
        **changes,
    }


def stopped(n: int, replays: int, **source: Any) -> dict[str, Any]:
    """Return the gateway's word on the n-th workflow, which it has stopped."""
    return {
        "instance": f"run-{n}",
        "state": "zombie",
        "since_unix_ms": STOPPED_AT,
        "reason": f"an activity was executed {NTH} times",
        "activities": 1,
        "calls": 1,
        "replays": replays,
        "refusals": 1,
        "most_executions": NTH,
        "spent": {"nano_usd": COST},
        "source": {
            "state": "stopped",
            "requested_unix_ms": STOPPED_AT,
            "ended_unix_ms": STOPPED_AT + 20,
            "jobs_deleted": 1,
            "jobs_left": 0,
            **source,
        },
    }


def _budget(calls: int) -> dict[str, Any]:
    return {
        "scope": "global",
        "limit": {"nano_usd": 1_200_000_000},
        "safety_limit": {"nano_usd": 1_000 * 10**9},
        "spent": {"nano_usd": calls * COST},
        "reserved": {"nano_usd": 0},
        "calls": calls,
        "refusals": 0,
    }


def _call(seq: int, run: dict[str, Any]) -> dict[str, Any]:
    kept = ("started_unix_ms", "ended_unix_ms", "instance", "activity", "task_id", "execution_id")
    return {
        **{key: run[key] for key in kept},
        "seq": seq,
        "nano_usd": COST,
        "duplicate": False,
        "status": "completed",
    }


def _decision(seq: int, run: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq": seq,
        "at_unix_ms": min(run["started_unix_ms"], UNTIL),
        "decision": "allow" if run["run"] == 1 else "replay",
        "code": None,
        "requested": {"nano_usd": REQUESTED},
    }
