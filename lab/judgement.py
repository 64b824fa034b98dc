"""What one arm showed, and the words for what a run came to."""

from dataclasses import dataclass
from enum import StrEnum

from lab.evidence import ArmEvidence
from lab.property_result import PropertyResult
from lab.rates import Rates
from lab.redelivery import Redelivery


class Outcome(StrEnum):
    """The first word of the verdict."""

    REPRODUCED = "REPRODUCED"
    NOT_REPRODUCED = "NOT REPRODUCED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class ArmJudgement:
    """What one arm showed."""

    evidence: ArmEvidence
    redelivery: Redelivery
    rates: Rates
    properties: tuple[PropertyResult, ...]
