"""Measures the runaway itself: which activities in flight ran again, how often, how fast."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lab.evidence import ArmEvidence, Execution
from lab.expectation import Again

STEADY_MS = 10_000
# An execution this close to the blow may or may not have been told to the engine.
_EDGE_MS = 50
# An endless activity missed at most this many periods when the observation ended.
_MISSED_PERIODS = 3
_SLACK_MS = 2_000
# Two or more, as one alone is what the fixed versions do.
_LEAST_ENDLESS = 2


@dataclass(frozen=True, slots=True)
class ActivityAgain:
    """One activity that was in flight at the blow.

    Attributes:
        again: executions that started after the blow.
        period_ms: median time between two starts in the steady window; None below two starts.
        duration_ms: median time an execution took in the steady window; None when none ended.
    """

    instance: str
    execution_id: str
    task_id: str
    again: int
    kind: Again
    period_ms: float | None
    duration_ms: float | None


@dataclass(frozen=True, slots=True)
class Redelivery:
    """All activities in flight at the blow of one arm.

    Attributes:
        period_ms: median of the activities' periods; None when none ran twice.
        expected_period_ms: max(1 s, duration), Dapr's constant failure policy.
    """

    activities: tuple[ActivityAgain, ...]
    kind: Again
    period_ms: float | None
    expected_period_ms: float | None

    @property
    def endless(self) -> int:
        """Return how many activities ran without end."""
        return sum(1 for a in self.activities if a.kind is Again.ENDLESS)

    @property
    def again(self) -> int:
        """Return how many executions came after the blow."""
        return sum(a.again for a in self.activities)


def in_flight_at(executions: Sequence[Execution], blow_unix_ms: int) -> set[tuple[str, str]]:
    """Return the keys of what surely ran across the blow."""
    return {
        e.key
        for e in executions
        if e.started_unix_ms <= blow_unix_ms - _EDGE_MS and e.ended_unix_ms >= blow_unix_ms
    }


def steady_window(evidence: ArmEvidence) -> tuple[int, int]:
    """Return the last ten seconds of the observation, or as much of it as there is."""
    until = evidence.observed_until_unix_ms
    earliest = evidence.first_again_unix_ms or evidence.disrupted.ended_unix_ms
    return max(earliest, until - STEADY_MS), until


def measure(evidence: ArmEvidence) -> Redelivery:
    """Return what became of each activity that was in flight at the blow."""
    blow = evidence.disrupted.began_unix_ms
    window = steady_window(evidence)
    by_key: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in evidence.executions:
        by_key[execution.key].append(execution)
    keys = sorted(in_flight_at(evidence.executions, blow))
    activities = tuple(_one(by_key[key], blow, window) for key in keys)
    periods = [a.period_ms for a in activities if a.period_ms is not None]
    durations = [a.duration_ms for a in activities if a.duration_ms is not None]
    return Redelivery(
        activities,
        _common([a.kind for a in activities]),
        median(periods) if periods else None,
        max(1000.0, median(durations)) if durations else None,
    )


def _one(runs: list[Execution], blow: int, window: tuple[int, int]) -> ActivityAgain:
    first = runs[0]
    since, until = window
    again = sorted(
        (e for e in runs if blow < e.started_unix_ms <= until), key=lambda e: e.started_unix_ms
    )
    steady = [e for e in again if e.started_unix_ms >= since]
    starts = [e.started_unix_ms for e in steady]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    durations = [e.ended_unix_ms - e.started_unix_ms for e in steady]
    period = median(gaps) if gaps else None
    duration = median(durations) if durations else None
    kind = _kind(again, until, period)
    return ActivityAgain(
        first.instance, first.execution_id, first.task_id, len(again), kind, period, duration
    )


def _kind(again: list[Execution], until: int, period_ms: float | None) -> Again:
    if not again:
        return Again.NEVER
    if len(again) < _LEAST_ENDLESS:
        return Again.ONCE
    last_ended = max(e.ended_unix_ms for e in again)
    lasting = max(period_ms or 0, *(e.ended_unix_ms - e.started_unix_ms for e in again))
    still_going = last_ended >= until - _MISSED_PERIODS * max(1000, lasting) - _SLACK_MS
    return Again.ENDLESS if still_going else Again.MIXED


def _common(kinds: list[Again]) -> Again:
    if not kinds:
        return Again.NEVER
    return kinds[0] if len(set(kinds)) == 1 else Again.MIXED
