"""Judges a run from what its arms saw: a pure function, with three answers.

A run in which nothing happened can't pass: what had to happen and did not makes it UNKNOWN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from lab.disruptions import DISRUPTIONS
from lab.evidence import ArmEvidence
from lab.expectation import Again, expected_again
from lab.full_properties import went_on_ms
from lab.judgement import ArmJudgement, Outcome
from lab.money import format_usd
from lab.properties import evaluate
from lab.property_result import Status
from lab.rates import rates
from lab.redelivery import Redelivery, measure
from lab.sentence import seconds, seen_again, sentence

# A scheduler under load fires late; never so late that a period of its own is lost.
_LATE_FACTOR = 1.3
_LATE_MS = 200
GUARD_EXIT_CODE = 3


class ExitCode(IntEnum):
    """What the command ends with."""

    AS_EXPECTED = 0
    NOT_AS_EXPECTED = 1
    UNKNOWN = 2
    GUARD_STOPPED = 3
    INTERRUPTED = 130


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
    said = sentence(judged, outcome, expected)
    return Verdict(outcome, said, code, expected, tuple(surprises), judged)


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
    ran_away = any(arm.redelivery.endless > 0 or _was_stopped(arm.evidence) for arm in judged)
    return Outcome.REPRODUCED if ran_away else Outcome.NOT_REPRODUCED


def _was_stopped(evidence: ArmEvidence) -> bool:
    """Tell whether a workflow ran away until its gateway stopped it."""
    return evidence.arm == "full" and bool(went_on_ms(evidence))


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
        wanted = _expected_of(arm, expected)
        if seen.kind is not wanted and not _has_ended(arm, wanted):
            surprises.append(f"arm {name}: expected {wanted}, saw {seen_again(arm)}")
        elif wanted is Again.ENDLESS and not keeps_pace(seen):
            surprises.append(
                f"arm {name}: expected one execution per {seconds(seen.expected_period_ms)}, "
                f"saw one per {seconds(seen.period_ms)}"
            )
    return surprises


def _expected_of(arm: ArmJudgement, expected: Again | None) -> Again | None:
    """Return what an arm shall show: in arm `full` what would be endless is ended."""
    is_stopped = arm.evidence.arm == "full" and expected is Again.ENDLESS
    return Again.ENDED if is_stopped else expected


def _has_ended(arm: ArmJudgement, wanted: Again | None) -> bool:
    """Tell whether what ran again came to an end, each activity after executions of its own."""
    return wanted is Again.ENDED and arm.redelivery.endless == 0 and arm.redelivery.again > 0


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
    return any(d.is_for_good(limit) for d in evidence.decisions)
