"""Measures the runaway itself: which activities ran again, how often, how fast.

After a blow these are the activities in flight at it; with nothing disrupted there is no such
moment, and every activity of the whole observation is looked at.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import mean, median

from lab.evidence import ArmEvidence, Execution
from lab.expectation import Again

STEADY_MS = 10_000
_STEADY_EXECUTIONS = 4
# An execution that ended this soon after the blow may have told the engine just before it.
_EDGE_MS = 50
# As one alone is what the fixed versions do, and a second one may still come to an end.
_LEAST_ENDLESS = 3
# An endless activity missed at most this many periods when the observation ended, and was never
# silent for more than a third of the time since it first came again.
_MISSED_PERIODS = 3
_SLACK_MS = 2_000
_SILENT_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class ActivityAgain:
    """One activity that was in flight at the blow, or ran more than once with nothing disrupted.

    Attributes:
        again: executions that started after the blow, or after its first one.
        period_ms: mean time between two starts in the steady window; None below two starts.
        duration_ms: median time an execution took in the steady window; None when none ended.
        side_by_side: most executions of it that ran at the same time in the steady window.
    """

    instance: str
    execution_id: str
    task_id: str
    again: int
    kind: Again
    period_ms: float | None
    duration_ms: float | None
    side_by_side: int


@dataclass(frozen=True, slots=True)
class Redelivery:
    """What became of the activities of one arm.

    Attributes:
        activities: those in flight at the blow; with nothing disrupted those executed again.
        in_flight: how many were in flight at the blow, or when all workflows ran.
        period_ms: median of the activities' periods; None when none ran twice.
        expected_period_ms: max(1 s, duration), Dapr's constant failure policy.
        side_by_side: most executions of one activity at the same time. Above one, a late result
            has started a chain beside the first, as real Dapr does after an outage that is
            shorter than the activity.
    """

    activities: tuple[ActivityAgain, ...]
    in_flight: int
    kind: Again
    period_ms: float | None
    expected_period_ms: float | None
    side_by_side: int

    @property
    def endless(self) -> int:
        """Return how many activities ran without end."""
        return sum(1 for a in self.activities if a.kind is Again.ENDLESS)

    @property
    def again(self) -> int:
        """Return how many executions came after the blow, or after the first ones."""
        return sum(a.again for a in self.activities)


def in_flight_at(executions: Sequence[Execution], blow_unix_ms: int) -> set[tuple[str, str]]:
    """Return the keys of what surely ran across the blow."""
    return {
        e.key
        for e in executions
        if e.started_unix_ms <= blow_unix_ms and e.ended_unix_ms >= blow_unix_ms + _EDGE_MS
    }


def steady_window(evidence: ArmEvidence) -> tuple[int, int]:
    """Return the last ten seconds of the observation, or four executions' time if that is more."""
    until = evidence.observed_until_unix_ms
    earliest = evidence.first_again_unix_ms or evidence.disrupted.ended_unix_ms
    later = (e for e in evidence.executions if e.started_unix_ms >= earliest)
    durations = [e.ended_unix_ms - e.started_unix_ms for e in later]
    usual_ms = round(median(durations)) if durations else 0
    return max(earliest, until - max(STEADY_MS, _STEADY_EXECUTIONS * usual_ms)), until


def measure(evidence: ArmEvidence) -> Redelivery:
    """Return what became of each activity that was in flight, or of each that ran again."""
    window = steady_window(evidence)
    in_flight = in_flight_at(evidence.executions, evidence.disrupted.began_unix_ms)
    again = executed_again(evidence)
    first = {e.key: e for e in reversed(evidence.executions)}
    keys = set(again) if evidence.scenario.disrupt == "none" else in_flight
    activities = tuple(_one(first[key], again.get(key, []), window) for key in sorted(keys))
    periods = [a.period_ms for a in activities if a.period_ms is not None]
    durations = [a.duration_ms for a in activities if a.duration_ms is not None]
    return Redelivery(
        activities,
        len(in_flight),
        _common([a.kind for a in activities]),
        median(periods) if periods else None,
        max(1000.0, median(durations)) if durations else None,
        max((a.side_by_side for a in activities), default=0),
    )


def executed_again(evidence: ArmEvidence) -> dict[tuple[str, str], list[Execution]]:
    """Return the executions in the observation that came again, by activity, in order of time.

    After a disruption that is what started after the blow; with nothing disrupted it is what
    started after the first execution of its activity. An attempt that a workflow's own retry
    policy makes has a task id of its own and is no execution of the same activity.
    """
    blow, until = evidence.disrupted.began_unix_ms, evidence.observed_until_unix_ms
    undisrupted = evidence.scenario.disrupt == "none"
    runs: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in sorted(evidence.executions, key=lambda e: e.started_unix_ms):
        in_observation = execution.started_unix_ms <= until
        if in_observation and (undisrupted or execution.started_unix_ms > blow):
            runs[execution.key].append(execution)
    first = 1 if undisrupted else 0
    return {key: found[first:] for key, found in runs.items() if found[first:]}


def followed(evidence: ArmEvidence) -> set[tuple[str, str]]:
    """Return the keys worth a look: in flight at the blow, or with nothing disrupted ran again."""
    keys = in_flight_at(evidence.executions, evidence.disrupted.began_unix_ms)
    return keys | set(executed_again(evidence)) if evidence.scenario.disrupt == "none" else keys


def _one(first: Execution, again: list[Execution], window: tuple[int, int]) -> ActivityAgain:
    since, until = window
    steady = [e for e in again if e.started_unix_ms >= since]
    starts = [e.started_unix_ms for e in steady]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    durations = [e.ended_unix_ms - e.started_unix_ms for e in steady]
    period = mean(gaps) if gaps else None
    return ActivityAgain(
        first.instance,
        first.execution_id,
        first.task_id,
        len(again),
        _kind(again, until),
        period,
        median(durations) if durations else None,
        most_at_once(steady),
    )


def most_at_once(executions: Sequence[Execution]) -> int:
    """Return how many of these ran at the same time at most."""
    steps = [(e.started_unix_ms, 1) for e in executions]
    steps += [(e.ended_unix_ms, -1) for e in executions]
    # At equal times the end of one comes before the start of the next.
    return max(accumulate(step for _, step in sorted(steps)), default=0)


def _kind(again: list[Execution], until: int) -> Again:
    if len(again) <= 1:
        return Again.ONCE if again else Again.NEVER
    usual_ms = max(1000, median(e.ended_unix_ms - e.started_unix_ms for e in again))
    allowed_ms = min(
        _MISSED_PERIODS * usual_ms + _SLACK_MS,
        _SILENT_SHARE * (until - again[0].started_unix_ms),
    )
    still_going = until - again[-1].started_unix_ms <= allowed_ms
    return Again.ENDLESS if still_going and len(again) >= _LEAST_ENDLESS else Again.ENDED


def _common(kinds: list[Again]) -> Again:
    if not kinds:
        return Again.NEVER
    return kinds[0] if len(set(kinds)) == 1 else Again.MIXED
