"""Judges a run from what its arms saw: a pure function, with three answers.

A run in which nothing happened can't pass: what had to happen and did not makes it UNKNOWN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from lab.disruptions import DISRUPTIONS
from lab.evidence import ArmEvidence
from lab.expectation import Again, expected_again
from lab.money import format_rate, format_usd
from lab.properties import PropertyResult, Status, evaluate
from lab.rates import Rates, rates
from lab.redelivery import Redelivery, measure

# A scheduler under load fires late; never so late that a period of its own is lost.
_LATE_FACTOR = 1.3
_LATE_MS = 200
GUARD_EXIT_CODE = 3
# What the gateway says to a call that spent money, not held money, leaves no room for.
_FOR_GOOD = ("budget_exceeded", "request_exceeds_budget")


class Outcome(StrEnum):
    """The first word of the verdict."""

    REPRODUCED = "REPRODUCED"
    NOT_REPRODUCED = "NOT REPRODUCED"
    UNKNOWN = "UNKNOWN"


class ExitCode(IntEnum):
    """What the command ends with."""

    AS_EXPECTED = 0
    NOT_AS_EXPECTED = 1
    UNKNOWN = 2
    GUARD_STOPPED = 3
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class ArmJudgement:
    """What one arm showed."""

    evidence: ArmEvidence
    redelivery: Redelivery
    rates: Rates
    properties: tuple[PropertyResult, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to *is this safe?*.

    Attributes:
        sentence: one sentence with numbers.
        reasons: why it is not as expected, or unknown; empty when all is as expected.
    """

    outcome: Outcome
    sentence: str
    exit_code: ExitCode
    expected: Again | None
    reasons: tuple[str, ...]
    arms: tuple[ArmJudgement, ...]


def judge(arms: Sequence[ArmEvidence]) -> Verdict:
    """Return the verdict of a run whose arms all ended."""
    scenario = arms[0].scenario
    loses_cache = DISRUPTIONS[scenario.disrupt].loses_cache
    expected = expected_again(scenario.profile, loses_cache=loses_cache)
    judged = tuple(_judge_arm(arm, expected) for arm in arms)
    unknown = _unknown_reasons(judged, expected)
    outcome = Outcome.UNKNOWN if unknown else _outcome(judged)
    surprises = unknown or _surprises(judged, expected)
    code = _exit_code(judged, outcome, surprises)
    return Verdict(outcome, _sentence(judged, outcome), code, expected, tuple(surprises), judged)


def failed(reason: str, code: ExitCode = ExitCode.UNKNOWN) -> Verdict:
    """Return the verdict of a run that could not be brought to its end."""
    return Verdict(Outcome.UNKNOWN, reason, code, None, (reason,), ())


def _judge_arm(evidence: ArmEvidence, expected: Again | None) -> ArmJudgement:
    redelivery = measure(evidence)
    properties = evaluate(evidence, redelivery, expected)
    return ArmJudgement(evidence, redelivery, rates(evidence), properties)


def _unknown_reasons(judged: Sequence[ArmJudgement], expected: Again | None) -> list[str]:
    reasons = [
        f"arm {p.arm}: “{p.name}” {p.status} ({p.detail})"
        for arm in judged
        for p in arm.properties
        if p.status in (Status.NEVER_HAPPENED, Status.UNKNOWN)
    ]
    # Whatever a property makes of it, a feed that lost entries may hide what would decide.
    reasons += [
        f"arm {arm.evidence.arm}: {line}"
        for arm in judged
        for line in arm.evidence.missing
        if not any(line in reason for reason in reasons)
    ]
    if expected is None:
        reasons.append(f"nobody knows what {judged[0].evidence.scenario.profile} should do")
    return reasons


def _outcome(judged: Sequence[ArmJudgement]) -> Outcome:
    ran_away = any(arm.redelivery.endless > 0 for arm in judged)
    return Outcome.REPRODUCED if ran_away else Outcome.NOT_REPRODUCED


def _surprises(judged: Sequence[ArmJudgement], expected: Again | None) -> list[str]:
    surprises = [
        f"arm {p.arm}: “{p.name}” is {p.status}: {p.detail}"
        for arm in judged
        for p in arm.properties
        if p.status is Status.BROKEN
    ]
    for arm in judged:
        name, seen = arm.evidence.arm, arm.redelivery
        if _guard_stopped(arm.evidence):
            limit = format_usd(arm.evidence.limit_nano_usd or 0)
            surprises.append(f"arm {name}: stopped by its spending guard at {limit}")
        if seen.kind is not expected:
            surprises.append(f"arm {name}: expected {expected}, saw {_seen_again(arm)}")
        elif expected is Again.ENDLESS and not keeps_pace(seen):
            surprises.append(
                f"arm {name}: expected one execution per {_seconds(seen.expected_period_ms)}, "
                f"saw one per {_seconds(seen.period_ms)}"
            )
    return surprises


def keeps_pace(seen: Redelivery) -> bool:
    """Tell whether executions come at least once per max(1 s, activity time)."""
    if seen.period_ms is None or seen.expected_period_ms is None:
        return False
    return seen.period_ms <= seen.expected_period_ms * _LATE_FACTOR + _LATE_MS


def _exit_code(
    judged: Sequence[ArmJudgement], outcome: Outcome, surprises: Sequence[str]
) -> ExitCode:
    if any(_guard_stopped(arm.evidence) for arm in judged):
        return ExitCode.GUARD_STOPPED
    if outcome is Outcome.UNKNOWN:
        return ExitCode.UNKNOWN
    return ExitCode.NOT_AS_EXPECTED if surprises else ExitCode.AS_EXPECTED


def _guard_stopped(evidence: ArmEvidence) -> bool:
    return _safety_stopped(evidence) or evidence.load.exit_code == GUARD_EXIT_CODE


def _safety_stopped(evidence: ArmEvidence) -> bool:
    """Tell whether the safety limit stopped calls that it had room for at the beginning."""
    limit, cut_off = evidence.budget.safety_limit, evidence.budget.cut_off_unix_ms
    if evidence.arm != "off" or limit is None or cut_off is None:
        return False
    # A call larger than the whole limit is refused for its size, whatever was spent.
    return any(d.code in _FOR_GOOD and d.requested <= limit for d in evidence.decisions)


def _seen_again(arm: ArmJudgement) -> str:
    seen = arm.redelivery.activities
    counts = {kind: sum(1 for a in seen if a.kind is kind) for kind in Again}
    which = "executed again" if arm.evidence.scenario.disrupt == "none" else "in flight"
    shown = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{shown or 'none'} of {len(seen)} {which}"


def _counted(seen: Redelivery) -> str:
    count = len(seen.activities)
    return f"{count} {'activity' if count == 1 else 'activities'}"


def _seconds(period_ms: float | None) -> str:
    return "no time measured" if period_ms is None else f"{period_ms / 1000:.2f} s"


def _sentence(judged: Sequence[ArmJudgement], outcome: Outcome) -> str:
    first = judged[0]
    agree = len({arm.redelivery.kind for arm in judged}) == 1
    seen = (
        _what_ran_again(first)
        if agree
        else "; ".join(f"in arm {arm.evidence.arm} {_what_ran_again(arm)}" for arm in judged)
    )
    what = f"On {first.evidence.runtime}, {seen}"
    return what + "".join(_spending(arm, outcome) for arm in judged) + "."


def _what_ran_again(arm: ArmJudgement) -> str:
    seen, disrupt = arm.redelivery, arm.evidence.scenario.disrupt
    if disrupt == "none" and seen.kind is Again.NEVER:
        return "while the state expired, no activity ran again"
    if disrupt == "none":
        head, all_of_them, each = "while the state expired, ", f"{_counted(seen)} ", ""
    else:
        blow = disrupt.replace("-", " ")
        head, all_of_them, each = f"of {_counted(seen)} in flight at the {blow}, ", "all ", "each "
    match seen.kind:
        case Again.ENDLESS:
            beside = f", {seen.side_by_side} side by side" if seen.side_by_side > 1 else ""
            pace = f"one execution per {_seconds(seen.period_ms)} each{beside}"
            return f"{head}{all_of_them}ran again without end, {pace}"
        case Again.ONCE:
            return f"{head}{each or all_of_them}ran exactly once more"
        case Again.NEVER:
            return f"{head}none ran again"
        case Again.MIXED:
            return f"{head}the lab saw {_seen_again(arm)}"


def _spending(arm: ArmJudgement, outcome: Outcome) -> str:
    name, spent = arm.evidence.arm, format_usd(arm.evidence.spend.nano_usd)
    limit = arm.evidence.limit_nano_usd
    if outcome is Outcome.NOT_REPRODUCED:
        return f"; arm {name} spent {spent}"
    if name == "cap" and limit is not None:
        if arm.evidence.budget.cut_off_unix_ms is None:
            return f"; a cap of {format_usd(limit)} was not reached ({spent} spent)"
        refused = f"{arm.rates.refusals_per_s:.1f} executions/s ran on into refusals"
        return f"; a cap of {format_usd(limit)} held spend at {spent} while {refused}"
    rate = format_rate(arm.rates.nano_usd_per_hour)
    return f"; without a cap {spent} were spent, rising by {rate}/h"
