"""Says in one sentence, with numbers, what a run showed."""

from collections.abc import Sequence

from lab.expectation import Again
from lab.full_properties import stopped_instances, went_on_ms
from lab.judgement import ArmJudgement, Outcome
from lab.money import format_rate, format_usd
from lab.redelivery import Redelivery


def sentence(judged: Sequence[ArmJudgement], outcome: Outcome, expected: Again | None) -> str:
    """Return the sentence of a run."""
    # What the gateway of arm `full` ends is told with its spending.
    untouched = [arm for arm in judged if not _is_guarded(arm, expected)] or list(judged)
    first = untouched[0]
    agree = len({arm.redelivery.kind for arm in untouched}) == 1
    seen = (
        _what_ran_again(first)
        if agree
        else "; ".join(f"in arm {arm.evidence.arm} {_what_ran_again(arm)}" for arm in untouched)
    )
    what = f"On {first.evidence.runtime}, {seen}"
    return what + "".join(_spending(arm, outcome) for arm in judged) + "."


def _is_guarded(arm: ArmJudgement, expected: Again | None) -> bool:
    return arm.evidence.arm == "full" and expected is Again.ENDLESS


def seen_again(arm: ArmJudgement) -> str:
    """Return how many activities came to which end."""
    seen = arm.redelivery.activities
    counts = {kind: sum(1 for a in seen if a.kind is kind) for kind in Again}
    which = "executed again" if arm.evidence.scenario.disrupt == "none" else "in flight"
    shown = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{shown or 'none'} of {len(seen)} {which}"


def seconds(period_ms: float | None) -> str:
    """Return a period as text."""
    return "no time measured" if period_ms is None else f"{period_ms / 1000:.2f} s"


def _counted(seen: Redelivery) -> str:
    count = len(seen.activities)
    return f"{count} {'activity' if count == 1 else 'activities'}"


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
            pace = f"one execution per {seconds(seen.period_ms)} each{beside}"
            return f"{head}{all_of_them}ran again without end, {pace}"
        case Again.ENDED:
            return f"{head}{all_of_them}ran again several times and then no more"
        case Again.ONCE:
            return f"{head}{each or all_of_them}ran exactly once more"
        case Again.NEVER:
            return f"{head}none ran again"
        case Again.MIXED:
            return f"{head}the lab saw {seen_again(arm)}"


def _spending(arm: ArmJudgement, outcome: Outcome) -> str:
    name, spent = arm.evidence.arm, format_usd(arm.evidence.spend.nano_usd)
    if outcome is Outcome.NOT_REPRODUCED:
        return f"; arm {name} spent {spent}"
    match name:
        case "cap":
            return _capped(arm, spent)
        case "full":
            return _stopped(arm, spent)
        case "off":
            rate = format_rate(arm.rates.nano_usd_per_hour)
            return f"; without a cap {spent} were spent, rising by {rate}/h"


def _capped(arm: ArmJudgement, spent: str) -> str:
    limit = format_usd(arm.evidence.limit_nano_usd or 0)
    if arm.evidence.budget.cut_off_unix_ms is None:
        return f"; a cap of {limit} was not reached ({spent} spent)"
    refused = f"{arm.rates.refusals_per_s:.1f} executions/s ran on into refusals"
    return f"; a cap of {limit} held spend at {spent} while {refused}"


def _workflows(count: int) -> str:
    return "its 1 workflow was" if count == 1 else f"its {count} workflows were"


def _stopped(arm: ArmJudgement, spent: str) -> str:
    stopped = stopped_instances(arm.evidence)
    if not stopped:
        return f"; with replay and source stop {spent} were spent, and nothing was stopped"
    longest = seconds(max(went_on_ms(arm.evidence).values(), default=0))
    nth = arm.evidence.scenario.zombie_executions
    return (
        f"; with replay and source stop {spent} were spent: {_workflows(len(stopped))} stopped at "
        f"the source, the last execution {longest} after execution {nth} of its activity"
    )
