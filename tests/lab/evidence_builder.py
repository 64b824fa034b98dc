"""Builds the evidence of an arm by hand: each activity's executions, and what follows from them."""

from typing import Any

from lab.evidence import ArmEvidence
from lab.scenario import ArmName, Scenario

ZERO = 1_800_000_000_000
BLOW = ZERO + 10_000
BACK = BLOW + 5_500
FIRST_AGAIN = BLOW + 12_000
UNTIL = FIRST_AGAIN + 25_000
COST = 24_000_000
REQUESTED = 49_000_000


def execution(
    n: int, start: int, duration_ms: int, run: int, outcome: str = "ok"
) -> dict[str, Any]:
    """Return one execution of the activity in flight of the n-th workflow."""
    return {
        "seq": 0,
        "started_unix_ms": start,
        "ended_unix_ms": start + duration_ms,
        "instance": f"run-{n}",
        "activity": "call_llm",
        "task_id": 3,
        "execution_id": f"execution-{n}",
        "run": run,
        "outcome": outcome,
    }


def activity(
    n: int, starts_again: list[int], *, duration_ms: int = 2000, refused_from: int | None = None
) -> list[dict[str, Any]]:
    """Return an execution across the blow and those that followed it."""
    runs = [execution(n, BLOW - 1000, 2000, 1)]
    for run, start in enumerate(starts_again, 2):
        refused = refused_from is not None and start >= refused_from
        length, outcome = (10, "refused") if refused else (duration_ms, "ok")
        runs.append(execution(n, start, length, run, outcome))
    return runs


def going_on(n: int) -> list[dict[str, Any]]:
    """Return one execution each of the steps that the n-th workflow takes until the end."""
    return [
        {**execution(n, start, 2000, 1), "task_id": step, "execution_id": f"step-{n}-{step}"}
        for step, start in enumerate(range(BLOW + 1500, UNTIL, 2500), 4)
    ]


def every(period_ms: int, since: int = FIRST_AGAIN, until: int = UNTIL) -> list[int]:
    """Return starts at a steady pace."""
    return list(range(since, until, period_ms))


def build(
    executions: list[dict[str, Any]],
    *,
    arm: ArmName = "off",
    workflows: int = 2,
    cap_usd: str = "1.20",
    **changes: Any,
) -> ArmEvidence:
    """Return an arm whose every paid execution cost `COST`, with ledgers that agree."""
    scenario = Scenario.model_validate(
        {"name": "built", "cap_usd": cap_usd, "workflows": workflows, **changes.pop("scenario", {})}
    )
    ordered = sorted(executions, key=lambda e: e["started_unix_ms"])
    executions = [{**e, "seq": seq} for seq, e in enumerate(ordered, 1)]
    paid = [e for e in executions if e["outcome"] == "ok"]
    refused = [e for e in executions if e["outcome"] == "refused"]
    limit = scenario_limit(scenario) if arm == "cap" else None
    spent = len(paid) * COST
    evidence: dict[str, Any] = {
        "arm": arm,
        "scenario": scenario,
        "runtime": "embedded (profile 1.16.1)",
        "ttl_s": 5,
        "began_unix_ms": ZERO,
        "loaded_unix_ms": BLOW - 500,
        "in_flight_at_blow": workflows,
        "disrupted": {
            "kind": scenario.disrupt,
            "began_unix_ms": BLOW,
            "state_gone_unix_ms": BLOW + 5000,
            "ended_unix_ms": BACK,
        },
        "first_again_unix_ms": FIRST_AGAIN,
        "observed_until_unix_ms": UNTIL,
        "calls": [call(seq, e) for seq, e in enumerate(paid, 1)],
        "executions": executions,
        "decisions": [decision(seq, e) for seq, e in enumerate(executions, 1)],
        "ledger": ledger(paid),
        "spend": {"nano_usd": spent, "calls": len(paid), "duplicate_calls": 0},
        "budget": {
            "scope": "global",
            "limit": limit,
            "safety_limit": 1000 * 10**9,
            "spent": spent,
            "reserved": 0,
            "calls": len(paid),
            "refusals": len(refused),
            "cut_off_unix_ms": refused[0]["started_unix_ms"] if refused else None,
        },
        "workflows": changes.pop("finals", [workflow(n) for n in range(1, workflows + 1)]),
        "keys": polls(workflows),
        "load": {"exit_code": 0, "summary": {"started": workflows}, "timeline": []},
    }
    return ArmEvidence.model_validate({**evidence, **changes})


def scenario_limit(scenario: Scenario) -> int:
    """Return the cap in nano-dollars, worked out apart from the lab's own parser."""
    whole, _, fraction = scenario.cap_usd.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0") or "0")


def call(seq: int, execution: dict[str, Any]) -> dict[str, Any]:
    """Return the call that an execution paid for."""
    return {
        **{k: execution[k] for k in ("started_unix_ms", "ended_unix_ms", "instance", "activity")},
        **{k: execution[k] for k in ("task_id", "execution_id")},
        "seq": seq,
        "nano_usd": COST,
        "duplicate": execution["run"] > 1,
        "status": "completed",
    }


def decision(seq: int, execution: dict[str, Any]) -> dict[str, Any]:
    """Return the gateway's decision about an execution's call."""
    allowed = execution["outcome"] == "ok"
    return {
        "seq": seq,
        "at_unix_ms": execution["started_unix_ms"],
        "decision": "allow" if allowed else "deny",
        "code": None if allowed else "budget_exceeded",
        "requested": {"usd": "0.049000000", "nano_usd": REQUESTED},
    }


def ledger(paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return reserve and settle of each paid execution, in the order of time."""
    moves: list[tuple[int, str, int, int, int | None]] = []
    for e in paid:
        moves.append((e["started_unix_ms"], "reserve", REQUESTED, 0, None))
        moves.append((e["ended_unix_ms"], "settle", -REQUESTED, COST, COST))
    moves.sort(key=lambda move: move[0])
    return [
        {
            "seq": seq,
            "at_unix_ms": at,
            "event": event,
            "reserved_delta": {"nano_usd": reserved},
            "spent_delta": {"nano_usd": spent},
            "cost": None if cost is None else {"nano_usd": cost},
        }
        for seq, (at, event, reserved, spent, cost) in enumerate(moves, 1)
    ]


def workflow(n: int, *, finished: bool = False) -> dict[str, Any]:
    """Return the app's last word on the n-th workflow."""
    return {
        "instance_id": f"run-{n}",
        "started_unix_ms": ZERO,
        "engine": {"status": "COMPLETED" if finished else "NOT_FOUND"},
        "app": {"executions": 1, "in_flight": 0, "finished": finished},
    }


def polls(workflows: int, *, gone: bool = True) -> list[dict[str, Any]]:
    """Return two looks at the state store: everything there, then nothing (or still all)."""
    names = [f"run-{n}" for n in range(1, workflows + 1)]
    full = {"keys": dict.fromkeys(names, 5), "with_first_row": names}
    after = {"keys": {}, "with_first_row": []} if gone else full
    return [{"t_unix_ms": BLOW - 100, **full}, {"t_unix_ms": BLOW + 5000, **after}]
