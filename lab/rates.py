"""How fast an arm executed, paid and was refused, in its steady window."""

from dataclasses import dataclass
from typing import Final

from lab.evidence import ArmEvidence
from lab.redelivery import executed_again, followed, steady_window

WINDOW_MS: Final = 10_000
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of one arm over its steady window.

    Attributes:
        window_s: length of the window, seconds.
        executions_per_s: executions of activities that started.
        refusals_per_s: calls that the budget gateway refused, for good or for the moment.
        paid_calls_per_s: calls that the LLM charged.
        nano_usd_per_hour: what those would cost in an hour, rounded down.
    """

    window_s: float
    executions_per_s: float
    refusals_per_s: float
    paid_calls_per_s: float
    nano_usd_per_hour: int


def rates(evidence: ArmEvidence) -> Rates:
    """Count what started in the steady window; a call counts when it was charged."""
    since, until = steady_window(evidence)
    length_ms = max(1, until - since)
    started = [e for e in evidence.executions if since <= e.started_unix_ms < until]
    refused = sum(
        1 for d in evidence.decisions if d.decision == "deny" and since <= d.at_unix_ms < until
    )
    paid = [c for c in evidence.calls if since <= c.ended_unix_ms < until]
    per_s = 1000 / length_ms
    cost = sum(call.nano_usd for call in paid)
    return Rates(
        length_ms / 1000,
        len(started) * per_s,
        refused * per_s,
        len(paid) * per_s,
        cost * _MS_PER_HOUR // length_ms,
    )


def again_per_window(evidence: ArmEvidence) -> tuple[int, ...]:
    """Count the executions that came again in each whole ten seconds of the observation.

    The first window begins with the first of them. That is how runs on real Dapr were counted.
    """
    rows = followed(evidence)
    again = executed_again(evidence)
    starts = [e.started_unix_ms for key in rows for e in again.get(key, [])]
    if not starts:
        return ()
    first = min(starts)
    counts = [0] * ((evidence.observed_until_unix_ms - first) // WINDOW_MS)
    for start in starts:
        window = (start - first) // WINDOW_MS
        if window < len(counts):
            counts[window] += 1
    return tuple(counts)
