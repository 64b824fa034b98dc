"""How a property of an arm came out, with the figures that decided it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lab.evidence import ArmEvidence


class Status(StrEnum):
    """How a property came out."""

    HELD = "held"
    BROKEN = "broken"
    HAPPENED = "happened"
    NEVER_HAPPENED = "never happened"
    NOT_APPLICABLE = "did not apply"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PropertyResult:
    """One property of one arm, with the figures that decided it."""

    name: str
    kind: Literal["always", "sometimes"]
    arm: str
    status: Status
    detail: str


def always(name: str, evidence: ArmEvidence, *, held: bool, detail: str) -> PropertyResult:
    """Return the result of a property that must never break."""
    status = Status.HELD if held else Status.BROKEN
    return PropertyResult(name, "always", evidence.arm, status, detail)


def sometimes(name: str, evidence: ArmEvidence, *, happened: bool, detail: str) -> PropertyResult:
    """Return the result of something that must have happened."""
    status = Status.HAPPENED if happened else Status.NEVER_HAPPENED
    return PropertyResult(name, "sometimes", evidence.arm, status, detail)


def not_applicable(
    name: str, kind: Literal["always", "sometimes"], evidence: ArmEvidence, reason: str
) -> PropertyResult:
    """Return the result of a property that says nothing about this arm."""
    return PropertyResult(name, kind, evidence.arm, Status.NOT_APPLICABLE, reason)


def unknown(
    name: str, kind: Literal["always", "sometimes"], evidence: ArmEvidence, reason: str
) -> PropertyResult:
    """Return the result of a property that what was seen does not decide."""
    return PropertyResult(name, kind, evidence.arm, Status.UNKNOWN, reason)


def lost_of(evidence: ArmEvidence, *feeds: str) -> str | None:
    """Return what these feeds lost, in words; None when they are whole."""
    lost = [line for line in evidence.missing if line.split(":")[0] in feeds]
    return "; ".join(lost) or None
