"""What became of one scenario on one version, and whether that is all right."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.conformance.compare.facet import Difference


class Verdict(StrEnum):
    """The outcome of one scenario; `is_fine` of a result says which of them fail a run."""

    EQUAL = "equal"
    DIFFERS = "differs"
    NOT_RECORDED = "not recorded"
    NOT_RUN = "not run"
    FAILED = "could not be played"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one scenario on one version.

    Attributes:
        undeclared: Differences that nobody has declared.
        declared: Reasons of the declared differences that occurred.
        gone: Names of facets that are declared to differ and did not.
        unseen: Options without which some facets could not be compared.
        why: Of what was not run or failed.
        first_try: Why it had to be played twice; empty where once was enough.
    """

    scenario: str
    version: str
    verdict: Verdict
    undeclared: Sequence[Difference] = ()
    declared: Sequence[str] = ()
    gone: Sequence[str] = ()
    unseen: Sequence[str] = ()
    why: str = ""
    first_try: str = ""

    @property
    def is_fine(self) -> bool:
        """Tell whether it is equal, or differs only where that is declared."""
        return not self.undeclared and not self.gone and self.verdict is not Verdict.FAILED

    def __str__(self) -> str:
        """Return what stands in the table's cell."""
        if self.verdict in (Verdict.NOT_RUN, Verdict.FAILED):
            return f"{self.verdict}: {self.why}"
        told = [
            *self.declared,
            *(f"undeclared: {each.facet}" for each in self.undeclared),
            *(f"no longer so, though declared: {each}" for each in self.gone),
        ]
        cell = f"{self.verdict}: {'; '.join(told)}" if told else str(self.verdict)
        return f"{cell} (not compared without {', '.join(self.unseen)})" if self.unseen else cell
