"""The named properties of an arm. *Always* must never break; *sometimes* must have happened."""

from collections import Counter

from lab.evidence import ArmEvidence
from lab.expectation import Again
from lab.full_properties import full_properties
from lab.money import format_usd
from lab.property_result import (
    PropertyResult,
    always,
    lost_of,
    not_applicable,
    sometimes,
    unknown,
)
from lab.redelivery import Redelivery


def evaluate(
    evidence: ArmEvidence, redelivery: Redelivery, expected: Again | None
) -> tuple[PropertyResult, ...]:
    """Return every property of one arm, those that did not apply included."""
    return (
        _usage_matches(evidence),
        _budget_matches(evidence),
        _no_overshoot(evidence),
        _none_after_cut_off(evidence),
        _none_again(evidence, expected),
        _none_duplicate(evidence, expected),
        _expired_while_running(evidence),
        _went_on(evidence),
        _in_flight_at_blow(evidence, redelivery),
        _cap_tripped(evidence, expected),
        *full_properties(evidence, expected),
    )


def settled_amounts(evidence: ArmEvidence) -> list[int]:
    """Return what the gateway settled, call by call: the usage that its clients saw, priced."""
    return [e.cost for e in evidence.ledger if e.event == "settle" and e.cost is not None]


def _usage_matches(evidence: ArmEvidence) -> PropertyResult:
    name = "the LLM's ledger is the sum of the usage that clients saw"
    if lost := lost_of(evidence, "calls", "ledger"):
        return unknown(name, "always", evidence, lost)
    served = Counter(call.nano_usd for call in evidence.calls)
    settled = Counter(settled_amounts(evidence))
    journal = sum(call.nano_usd for call in evidence.calls)
    held = served == settled and journal == evidence.spend.nano_usd
    detail = (
        f"{served.total()} calls served for {format_usd(journal)}, "
        f"{settled.total()} settled for {format_usd(sum(settled_amounts(evidence)))}, "
        f"ledger {format_usd(evidence.spend.nano_usd)}"
    )
    return always(name, evidence, held=held, detail=detail)


def _budget_matches(evidence: ArmEvidence) -> PropertyResult:
    spent, served = evidence.budget.spent, evidence.spend.nano_usd
    held = spent == served and evidence.budget.reserved == 0
    detail = (
        f"budget {format_usd(spent)} spent and {format_usd(evidence.budget.reserved)} held, "
        f"LLM {format_usd(served)}"
    )
    name = "the budget's ledger equals the LLM's"
    return always(name, evidence, held=held, detail=detail)


def highest_spend(evidence: ArmEvidence) -> int:
    """Return the highest spend that any witness saw at any moment."""
    seen = [int(line["nano_usd"]) for line in evidence.load.timeline if line.get("nano_usd")]
    journal = sum(call.nano_usd for call in evidence.calls)
    return max([evidence.spend.nano_usd, evidence.budget.spent, journal, *seen])


def highest_commitment(evidence: ArmEvidence) -> int:
    """Return the highest sum of spent and held money that the budget's ledger passed through."""
    total = highest = 0
    for entry in sorted(evidence.ledger, key=lambda e: e.seq):
        total += entry.reserved_delta + entry.spent_delta
        highest = max(highest, total)
    return highest


def _no_overshoot(evidence: ArmEvidence) -> PropertyResult:
    name = "spend is never above the limit"
    limit = evidence.limit_nano_usd
    if limit is None:
        reason = "no limit was set"
        return not_applicable(name, "always", evidence, reason)
    if lost := lost_of(evidence, "calls", "ledger"):
        return unknown(name, "always", evidence, lost)
    spent, committed = highest_spend(evidence), highest_commitment(evidence)
    over = max(0, spent - limit, committed - limit)
    detail = (
        f"highest spend {format_usd(spent)}, with held money {format_usd(committed)}, "
        f"of {format_usd(limit)}: overshoot {format_usd(over)}"
    )
    return always(name, evidence, held=over == 0, detail=detail)


def _none_after_cut_off(evidence: ArmEvidence) -> PropertyResult:
    name = "no call as large as a refused one is served after it"
    if lost := lost_of(evidence, "decisions"):
        return unknown(name, "always", evidence, lost)
    limit, least_refused = evidence.limit_nano_usd, None
    late = 0
    for decision in sorted(evidence.decisions, key=lambda d: d.seq):
        if limit is not None and decision.is_for_good(limit):
            refused = decision.requested
            least_refused = refused if least_refused is None else min(least_refused, refused)
        elif decision.decision == "allow" and least_refused is not None:
            late += decision.requested >= least_refused
    if least_refused is None:
        reason = "spent money refused nothing"
        return not_applicable(name, "always", evidence, reason)
    detail = f"{late} such calls after the first refusal (smallest {format_usd(least_refused)})"
    return always(name, evidence, held=late == 0, detail=detail)


def _none_again(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    name = "no activity was executed again"
    if expected is not Again.NEVER:
        return _nothing_of_the_kind(name, evidence)
    if lost := lost_of(evidence, "executions"):
        return unknown(name, "always", evidence, lost)
    runs = Counter(execution.key for execution in evidence.executions)
    repeated = [count for count in runs.values() if count > 1]
    surplus = sum(repeated) - len(repeated)
    detail = f"{len(repeated)} of {len(runs)} activities were; executions too many: {surplus}"
    return always(name, evidence, held=not repeated, detail=detail)


def _none_duplicate(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    name = "no paid call was a duplicate"
    if expected is not Again.NEVER:
        return _nothing_of_the_kind(name, evidence)
    if lost := lost_of(evidence, "calls"):
        return unknown(name, "always", evidence, lost)
    duplicates = [call for call in evidence.calls if call.duplicate]
    cost = format_usd(sum(call.nano_usd for call in duplicates))
    detail = f"{len(duplicates)} of {len(evidence.calls)} were, for {cost}"
    return always(name, evidence, held=not duplicates, detail=detail)


def _nothing_of_the_kind(name: str, evidence: ArmEvidence) -> PropertyResult:
    reason = "executions that come again are expected"
    return not_applicable(name, "always", evidence, reason)


def expiries(evidence: ArmEvidence) -> dict[str, int]:
    """Return when state of a workflow was first seen gone while it had not finished.

    Gone means its first history row, which Redis expires first, or every key; it counts only when
    the workflow had that state before and went on afterwards or never finished. What is lost
    after the observation is not counted: by then the lab itself has taken the engine away; nor is
    what a control workflow lost.
    """
    finished = {w.instance_id for w in evidence.workflows if w.app.finished}
    last_start = _last_starts(evidence)
    had: set[str] = set()
    gone: dict[str, int] = {}
    for poll in evidence.keys:
        if poll.t_unix_ms > evidence.observed_until_unix_ms:
            break
        had -= set(evidence.controls)
        for instance in had - poll.with_first_row - gone.keys():
            went_on = last_start.get(instance, 0) > poll.t_unix_ms
            if went_on or instance not in finished:
                gone[instance] = poll.t_unix_ms
        had |= poll.with_first_row
    return gone


def _last_starts(evidence: ArmEvidence) -> dict[str, int]:
    """Return when each workflow's last execution in the observation started."""
    last: dict[str, int] = {}
    for execution in evidence.executions:
        if execution.started_unix_ms <= evidence.observed_until_unix_ms:
            known = last.get(execution.instance, 0)
            last[execution.instance] = max(known, execution.started_unix_ms)
    return last


def _expired_while_running(evidence: ArmEvidence) -> PropertyResult:
    gone = expiries(evidence)
    count = len(evidence.workflows) - len(evidence.controls)
    detail = f"{len(gone)} of {count} workflows lost state before they finished"
    name = "state expired while a workflow ran"
    return sometimes(name, evidence, happened=bool(gone), detail=detail)


def _went_on(evidence: ArmEvidence) -> PropertyResult:
    name = "a workflow went on after its state had expired"
    if evidence.scenario.disrupt != "none":
        reason = "the engine was disrupted"
        return not_applicable(name, "sometimes", evidence, reason)
    if lost := lost_of(evidence, "executions"):
        return unknown(name, "sometimes", evidence, lost)
    gone, last_start = expiries(evidence), _last_starts(evidence)
    went_on = [i for i, at in gone.items() if last_start.get(i, 0) > at]
    detail = f"{len(went_on)} of {len(gone)} that lost state executed an activity after it"
    return sometimes(name, evidence, happened=bool(went_on), detail=detail)


def _in_flight_at_blow(evidence: ArmEvidence, redelivery: Redelivery) -> PropertyResult:
    name = "an activity was in flight at the disruption"
    if evidence.scenario.disrupt == "none":
        reason = "nothing was disrupted"
        return not_applicable(name, "sometimes", evidence, reason)
    if lost := lost_of(evidence, "executions"):
        return unknown(name, "sometimes", evidence, lost)
    count = len(redelivery.activities)
    return sometimes(name, evidence, happened=count > 0, detail=f"{count} were")


def _cap_tripped(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    name = "the cap tripped"
    if evidence.arm != "cap" or expected is not Again.ENDLESS:
        reason = "only arm cap is to" if evidence.arm != "cap" else "no runaway is expected"
        return not_applicable(name, "sometimes", evidence, reason)
    limit = evidence.limit_nano_usd or 0
    refused = [d for d in evidence.decisions if d.is_for_good(limit)]
    detail = f"{len(refused)} calls refused for good at {format_usd(limit)}"
    if not refused:
        detail += f", {format_usd(evidence.budget.spent)} spent: lower cap_usd or raise observe_s"
    return sometimes(name, evidence, happened=bool(refused), detail=detail)
