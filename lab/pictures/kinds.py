"""What each execution of an activity was: its first, one that came again, a refusal, a replay."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum

from lab.evidence import ArmEvidence, Execution
from lab.properties import expiries

# The LLM begins a call a moment after the app began the execution; clocks of one machine.
_EARLY_MS = 50


class Kind(StrEnum):
    """One kind of execution, called as the picture's key calls it."""

    FIRST = "first time"
    FIRST_EXPIRED = "first time, state expired"
    AGAIN = "again, paid"
    REPLAYED = "again, replayed for free"
    REFUSED = "refused"
    HELD = "refused for the moment"
    FAILED = "failed"


def kinds(arm: ArmEvidence) -> list[tuple[Execution, Kind]]:
    """Return every execution in order of its start, with its kind."""
    gone = expiries(arm)
    paid = _paid(arm)
    is_denied = _denials(arm)
    seen: set[tuple[str, str]] = set()
    found = []
    for execution in sorted(arm.executions, key=lambda e: e.started_unix_ms):
        is_first = execution.key not in seen
        seen.add(execution.key)
        has_expired = gone.get(execution.instance, execution.started_unix_ms + 1)
        if execution.outcome == "refused":
            kind = Kind.REFUSED
        elif execution.outcome != "ok":
            kind = Kind.HELD if is_denied(execution) else Kind.FAILED
        elif paid is not None and execution.seq not in paid:
            kind = Kind.REPLAYED
        elif not is_first:
            kind = Kind.AGAIN
        else:
            expired = execution.started_unix_ms >= has_expired
            kind = Kind.FIRST_EXPIRED if expired else Kind.FIRST
        found.append((execution, kind))
    return found


def _denials(arm: ArmEvidence) -> Callable[[Execution], bool]:
    """Return what tells whether the gateway refused the call of an execution."""
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for decision in sorted(arm.decisions, key=lambda d: d.at_unix_ms):
        if decision.decision == "deny":
            times[decision.execution_id, decision.task_id].append(decision.at_unix_ms)

    def is_denied(execution: Execution) -> bool:
        mine = times.get(execution.key, [])
        n = bisect_left(mine, execution.started_unix_ms - _EARLY_MS)
        return n < len(mine) and mine[n] <= execution.ended_unix_ms + _EARLY_MS

    return is_denied


def _paid(arm: ArmEvidence) -> set[int] | None:
    """Return which executions the LLM charged; None where no answer was ever replayed.

    The app can't tell a stored answer from a new one. The LLM's own journal can: each call
    belongs to the last execution of its activity that had begun by then.
    """
    if not any(d.decision == "replay" for d in arm.decisions):
        return None
    runs: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in sorted(arm.executions, key=lambda e: e.started_unix_ms):
        runs[execution.key].append(execution)
    charged = set()
    for call in arm.calls:
        mine = runs.get((call.execution_id, call.task_id), [])
        starts = [e.started_unix_ms - _EARLY_MS for e in mine]
        n = bisect_right(starts, call.started_unix_ms)
        if n:
            charged.add(mine[n - 1].seq)
    return charged
