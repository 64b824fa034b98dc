"""The properties of arm `full`: paid once, stopped at the source, and nobody else harmed."""

from collections import Counter
from typing import Final

from lab.evidence import ArmEvidence, InstanceView
from lab.expectation import Again
from lab.money import format_usd
from lab.property_result import (
    PropertyResult,
    always,
    lost_of,
    not_applicable,
    sometimes,
    unknown,
)
from lab.redelivery import in_flight_at

MOST_STOP_MS: Final = 5_000
"""Executions end within this after the one at which the gateway calls an instance a zombie."""

_NAMED: Final = 5
_OTHER_ARM: Final = "neither replay nor source stop"
_NO_RUNAWAY: Final = "no runaway is expected"


def full_properties(evidence: ArmEvidence, expected: Again | None) -> tuple[PropertyResult, ...]:
    """Return the properties of what arm `full` has beyond a cap."""
    return (
        _charged_once(evidence),
        _replayed(evidence, expected),
        _stopped(evidence, expected),
        _ended_in_time(evidence, expected),
        _no_job_left(evidence, expected),
        _controls_unharmed(evidence),
    )


def _charged_once(evidence: ArmEvidence) -> PropertyResult:
    name = "each activity was charged once"
    if evidence.arm != "full":
        return not_applicable(name, "always", evidence, _OTHER_ARM)
    if lost := lost_of(evidence, "calls"):
        return unknown(name, "always", evidence, lost)
    paid = Counter((call.execution_id, call.task_id) for call in evidence.calls)
    twice = [key for key, count in paid.items() if count > 1]
    most = max(paid.values(), default=0)
    detail = f"{paid.total()} paid calls of {len(paid)} activities, at most {most} of one"
    return always(name, evidence, held=not twice, detail=detail)


def _replayed(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    name = "a repeated call was answered without a charge"
    if evidence.arm != "full":
        return not_applicable(name, "sometimes", evidence, _OTHER_ARM)
    if expected is Again.NEVER:
        return not_applicable(name, "sometimes", evidence, "nothing is executed again")
    if lost := lost_of(evidence, "decisions"):
        return unknown(name, "sometimes", evidence, lost)
    replays = sum(1 for d in evidence.decisions if d.decision == "replay")
    detail = f"{replays} calls got the stored answer"
    return sometimes(name, evidence, happened=replays > 0, detail=detail)


def stopped_instances(evidence: ArmEvidence) -> list[InstanceView]:
    """Return the instances whose jobs the gateway deleted and then found none of."""
    return [
        view
        for view in evidence.instances
        if view.source is not None and view.source.state == "stopped"
    ]


def lost_instances(evidence: ArmEvidence) -> set[str]:
    """Return the workflows that had an activity in flight at the blow."""
    keys = in_flight_at(evidence.executions, evidence.disrupted.began_unix_ms)
    return {e.instance for e in evidence.executions if e.key in keys}


def _stopped(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    name = "the gateway stopped each runaway at its source"
    if evidence.arm != "full":
        return not_applicable(name, "always", evidence, _OTHER_ARM)
    if expected is not Again.ENDLESS:
        return not_applicable(name, "always", evidence, _NO_RUNAWAY)
    lost, stopped = lost_instances(evidence), stopped_instances(evidence)
    jobs = sum(view.source.jobs_deleted for view in stopped if view.source)
    missed = sorted(lost - {view.instance for view in stopped})
    detail = f"{len(lost) - len(missed)} of {len(lost)} stopped, {jobs} jobs deleted in all"
    if missed:
        detail += f"; not stopped: {', '.join(missed[:_NAMED])}"
    return always(name, evidence, held=not missed, detail=detail)


def went_on_ms(evidence: ArmEvidence) -> dict[str, int]:
    """Return how long each lost workflow was executed after an activity's N-th execution.

    From the start of that execution to the last start of any activity of the workflow. A workflow
    that has no activity with so many executions is not in it.
    """
    lost, nth = lost_instances(evidence), evidence.scenario.zombie_executions
    runs: Counter[tuple[str, str]] = Counter()
    reached: dict[str, int] = {}
    last: dict[str, int] = {}
    for e in sorted(evidence.executions, key=lambda e: e.started_unix_ms):
        if e.instance in lost:
            runs[e.key] += 1
            last[e.instance] = e.started_unix_ms
            if runs[e.key] >= nth:
                reached.setdefault(e.instance, e.started_unix_ms)
    return {instance: last[instance] - at for instance, at in reached.items()}


def _ended_in_time(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    nth = evidence.scenario.zombie_executions
    name = "executions end within 5 s of the one that tells a runaway"
    if evidence.arm != "full":
        return not_applicable(name, "always", evidence, _OTHER_ARM)
    if expected is not Again.ENDLESS:
        return not_applicable(name, "always", evidence, _NO_RUNAWAY)
    if lost_entries := lost_of(evidence, "executions"):
        return unknown(name, "always", evidence, lost_entries)
    lost, delays = lost_instances(evidence), went_on_ms(evidence)
    slowest = max(delays.values(), default=0)
    detail = (
        f"{len(delays)} of {len(lost)} reached execution {nth} of one activity; "
        f"the last execution came at most {slowest / 1000:.2f} s after it"
    )
    held = slowest <= MOST_STOP_MS and delays.keys() == lost
    return always(name, evidence, held=held, detail=detail)


def _no_job_left(evidence: ArmEvidence, expected: Again | None) -> PropertyResult:
    name = "the scheduler holds no job of a disrupted workflow"
    if evidence.arm != "full":
        return not_applicable(name, "always", evidence, _OTHER_ARM)
    if expected is not Again.ENDLESS:
        return not_applicable(name, "always", evidence, _NO_RUNAWAY)
    if evidence.jobs_left is None:
        return unknown(name, "always", evidence, "the scheduler did not answer")
    detail = f"{len(evidence.jobs_left)} left when the observation ended"
    return always(name, evidence, held=not evidence.jobs_left, detail=detail)


def _controls_unharmed(evidence: ArmEvidence) -> PropertyResult:
    name = "healthy workflows beside it complete, with no job deleted"
    if evidence.arm != "full":
        return not_applicable(name, "always", evidence, _OTHER_ARM)
    if lost := lost_of(evidence, "executions", "calls", "workflows"):
        return unknown(name, "always", evidence, lost)
    if not evidence.controls:
        return unknown(name, "always", evidence, "none was started")
    harmed = [harm for control in evidence.controls for harm in _harm(evidence, control)]
    spent = sum(v.spent for v in evidence.instances if v.instance in evidence.controls)
    fine = f"{len(evidence.controls)} completed, for {format_usd(spent)}"
    return always(name, evidence, held=not harmed, detail="; ".join(harmed) or fine)


def _harm(evidence: ArmEvidence, control: str) -> list[str]:
    """Return what befell a control workflow, in words."""
    runs = Counter(e.key for e in evidence.executions if e.instance == control)
    paid = Counter((c.execution_id, c.task_id) for c in evidence.calls if c.instance == control)
    view = next((v for v in evidence.instances if v.instance == control), None)
    seen = [w.app for w in evidence.workflows if w.instance_id == control]
    refused = view.refusals if view and view.state == "live" else 0
    deleted = view.source.jobs_deleted if view and view.source else 0
    found = {
        "did not complete": not any(app.finished for app in seen),
        f"was refused {refused} calls by the cap (raise cap_usd)": refused > 0,
        "was executed more than once": any(count > 1 for count in runs.values()),
        "was not charged once for each activity": any(count != 1 for count in paid.values())
        or paid.keys() != runs.keys(),
        "is unknown to the gateway": view is None,
        f"is {view.state if view else ''}": view is not None and view.state != "live",
        f"lost {deleted} jobs": deleted > 0,
    }
    return [f"{control} {what}" for what, happened in found.items() if happened]
