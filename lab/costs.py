"""What each arm's rate, and each published figure, comes to in an hour, a day and 30 days."""

from dataclasses import dataclass

from lab.evidence import ArmEvidence
from lab.judgement import ArmJudgement
from lab.money import format_usd
from lab.projection import PUBLISHED, PublishedReading, Volume, extrapolate
from lab.redelivery import steady_window


@dataclass(frozen=True, slots=True)
class Cost:
    """One rate and what follows from it if it stays as it is.

    Attributes:
        name: an arm, or a published figure.
        assumptions: what it was measured from, or what it takes for granted.
        activities: how many activities pay at that rate together.
        nano_usd_per_call: mean price of a call, rounded down; None without a paid call.
    """

    name: str
    assumptions: str
    activities: int
    nano_usd_per_call: int | None
    per_hour: Volume
    per_day: Volume
    per_month: Volume
    is_published: bool = False

    def each_nano_usd(self, volume: Volume) -> int | None:
        """Return what one of its activities costs, rounded down; None without any."""
        return volume.nano_usd // self.activities if self.activities else None


def measured(arm: ArmJudgement) -> Cost:
    """Return what an arm's steady window comes to.

    What the healthy control workflows paid is left out. Under a cap only what came after it had
    tripped goes on, and all of it together is never more than the cap.
    """
    evidence, activities = arm.evidence, len(arm.redelivery.activities)
    since, until = _window(evidence)
    length_ms = max(1, until - since)
    paid = [
        call.nano_usd
        for call in evidence.calls
        if since <= call.ended_unix_ms < until and call.instance not in evidence.controls
    ]
    drawn = extrapolate(calls=len(paid), nano_usd=sum(paid), window_ms=length_ms)
    mean = sum(paid) // len(paid) if paid else None
    cap = cap_of(evidence)
    return Cost(
        f"arm {evidence.arm}",
        _assumptions(arm, len(paid), sum(paid), length_ms),
        activities,
        mean,
        _within(drawn.per_hour, cap, mean),
        _within(drawn.per_day, cap, mean),
        _within(drawn.per_month, cap, mean),
    )


def cap_of(evidence: ArmEvidence) -> int | None:
    """Return the cap of an arm; the safety stop of arm `off` is none."""
    return None if evidence.arm == "off" else evidence.limit_nano_usd


def _window(evidence: ArmEvidence) -> tuple[int, int]:
    since, until = steady_window(evidence)
    cut_off = evidence.budget.cut_off_unix_ms
    return (max(since, cut_off) if cut_off is not None and cut_off < until else since), until


def _within(volume: Volume, cap_nano_usd: int | None, mean_nano_usd: int | None) -> Volume:
    if cap_nano_usd is None or not mean_nano_usd or volume.nano_usd <= cap_nano_usd:
        return volume
    return Volume(cap_nano_usd // mean_nano_usd, cap_nano_usd)


def _assumptions(arm: ArmJudgement, calls: int, nano_usd: int, window_ms: int) -> str:
    count = len(arm.redelivery.activities)
    which = "executed again" if arm.evidence.scenario.disrupt == "none" else "in flight at the blow"
    activities = f"{count} {'activity' if count == 1 else 'activities'} {which}"
    apart = ", what its healthy control workflows paid left out" if arm.evidence.controls else ""
    cap = cap_of(arm.evidence)
    most = "" if cap is None else f", and never beyond its cap of {format_usd(cap)}"
    return (
        f"{calls} paid calls for {format_usd(nano_usd)} in the last {window_ms / 1000:.1f} s of "
        f"the observation{apart}; {activities}; it goes on like that{most}"
    )


def published() -> list[Cost]:
    """Return the published figures, the one for fifty workflows in both of its readings."""
    return [_reading(reading) for reading in PUBLISHED]


def _reading(reading: PublishedReading) -> Cost:
    days = reading.reached_after_days
    price = format_usd(reading.nano_usd_per_call)
    return Cost(
        f"published: {reading.workflows} at {price} a call",
        f"“{reading.claim}”: {reading.assumptions}; that amount is reached in "
        f"{days} {'day' if days == 1 else 'days'}",
        reading.workflows,
        reading.nano_usd_per_call,
        reading.per_hour,
        reading.per_day,
        reading.per_month,
        is_published=True,
    )
