"""The few words and figures that say of each arm what came of it."""

from dataclasses import dataclass

from lab.costs import cap_of, measured
from lab.evidence import ArmEvidence
from lab.judgement import ArmJudgement
from lab.money import format_rate, format_usd
from lab.scenario import ArmName

WATCHERS: dict[ArmName, str] = {
    "off": "nobody watches the bill",
    "cap": "a hard cap",
    "full": "cap, replay and source stop",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """One arm in four lines: its name, who watches, what it spent, what goes on."""

    arm: str
    watcher: str
    spent: str
    lines: tuple[str, ...]


def headline(arm: ArmJudgement) -> Headline:
    """Return an arm's headline."""
    evidence, rates = arm.evidence, arm.rates
    rising = _rising(arm)
    capped = _capped(evidence)
    runs = f"{rates.executions_per_s:.1f} executions/s at the end"
    if rates.refusals_per_s:
        runs += f", {rates.refusals_per_s:.1f} refused/s"
    lines = (rising, *capped, runs, *_stopped(evidence))
    return Headline(
        evidence.arm, WATCHERS[evidence.arm], format_usd(evidence.spend.nano_usd), lines
    )


def _rising(arm: ArmJudgement) -> str:
    per_hour = measured(arm).per_hour.nano_usd
    if not per_hour:
        rising = "not rising"
    elif cap_of(arm.evidence) is None:
        rising = f"rising by {format_rate(per_hour)} an hour"
    else:
        rising = "rising, at most to its cap"
    return f"{rising}, healthy controls apart" if arm.evidence.controls else rising


def _capped(evidence: ArmEvidence) -> list[str]:
    cap = cap_of(evidence)
    if cap is None:
        return []
    return [f"cap {format_usd(cap)}, {evidence.budget.refusals:,} calls refused"]


def _stopped(evidence: ArmEvidence) -> list[str]:
    if not evidence.instances:
        return []
    sources = [view.source for view in evidence.instances if view.source is not None]
    stopped = sum(source.state == "stopped" for source in sources)
    deleted = sum(source.jobs_deleted for source in sources)
    replays = sum(view.replays for view in evidence.instances)
    return [
        f"{replays:,} calls replayed for free",
        f"stopped at the source: {stopped}, jobs deleted: {deleted}",
    ]
