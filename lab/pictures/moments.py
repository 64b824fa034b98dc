"""The moments that the pictures name, in milliseconds from each arm's own disruption."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.evidence import ArmEvidence
from lab.properties import expiries
from lab.run_directory import source_stops


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; `until_ms` is later when it did not happen in all arms at once."""

    text: str
    at_ms: int
    until_ms: int


def offset_ms(arm: ArmEvidence, at_unix_ms: int) -> int:
    """Return the time from an arm's disruption."""
    return at_unix_ms - arm.disrupted.began_unix_ms


def end_ms(arm: ArmEvidence) -> int:
    """Return when an arm was last seen: calls and executions may end after the observation."""
    ends = [call.ended_unix_ms for call in arm.calls]
    ends += [execution.ended_unix_ms for execution in arm.executions]
    ends += [int(entry["t_unix_ms"]) for entry in arm.load.timeline if "t_unix_ms" in entry]
    return offset_ms(arm, max([arm.observed_until_unix_ms, *ends]))


def shared_moments(arms: Sequence[ArmEvidence]) -> list[Moment]:
    """Return what happens to all arms at about the same time."""
    kind = arms[0].disrupted.kind
    blow = "nothing is disrupted" if kind == "none" else kind.replace("-", " ")
    gone = [at for arm in arms if (at := _gone_ms(arm)) is not None]
    found = [Moment(blow, 0, 0)]
    if gone:
        found.append(Moment("state expired", min(gone), max(gone)))
    return found


def _gone_ms(arm: ArmEvidence) -> int | None:
    at = arm.disrupted.state_gone_unix_ms or min(expiries(arm).values(), default=None)
    return None if at is None else offset_ms(arm, at)


def arm_moments(arm: ArmEvidence) -> list[Moment]:
    """Return what happens in one arm when its turn comes."""
    stops = source_stops(arm)
    count = f"{len(stops)} stopped at source"
    limit = "safety stop" if arm.arm == "off" else "cap trips"
    found = [
        ("runs again", arm.first_again_unix_ms),
        (limit, arm.budget.cut_off_unix_ms),
        (count, stops[-1] if stops else None),
    ]
    return [
        Moment(text, offset_ms(arm, at), offset_ms(arm, at)) for text, at in found if at is not None
    ]
