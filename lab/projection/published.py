"""The incident's two published figures, each with the arithmetic that it needs.

The second one does not say what a call costs, and two readings of it are possible: both are here.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lab.money import format_usd
from lab.projection.volume import DAY_S, HOUR_S, MONTH_DAYS, Volume


@dataclass(frozen=True, slots=True)
class PublishedReading:
    """One published figure under one set of assumptions.

    Attributes:
        name: `single`, `scale-003` or `scale-030`: the number is the price of a call in mills.
        claim: the figure as it was published.
        claim_nano_usd: its amount.
        workflows: stuck workflows, with one activity in flight each.
        call_s: how long one call takes, and so how often each workflow pays.
        tokens: tokens of a call, prompt and answer together.
        nano_usd_per_call: what one call costs at $0.03 per 1,000 tokens.
    """

    name: str
    claim: str
    claim_nano_usd: int
    workflows: int
    call_s: int
    tokens: int
    nano_usd_per_call: int

    @property
    def assumptions(self) -> str:
        """Say what the figure takes for granted."""
        who = "one stuck workflow" if self.workflows == 1 else f"{self.workflows} stuck workflows"
        return (
            f"{who}, one call each {self.call_s} s, {self.tokens:,} tokens at $0.03 per 1K: "
            f"{format_usd(self.nano_usd_per_call)} a call"
        )

    @property
    def per_hour(self) -> Volume:
        """Calls and cost of an hour."""
        return self._within(HOUR_S)

    @property
    def per_day(self) -> Volume:
        """Calls and cost of a day."""
        return self._within(DAY_S)

    @property
    def per_month(self) -> Volume:
        """Calls and cost of 30 days."""
        return self._within(MONTH_DAYS * DAY_S)

    @property
    def reached_after_days(self) -> Fraction:
        """After how many days the published amount has been spent."""
        return Fraction(self.claim_nano_usd, self.per_day.nano_usd)

    def _within(self, seconds: int) -> Volume:
        calls = self.workflows * seconds // self.call_s
        return Volume(calls, calls * self.nano_usd_per_call)


_MONTHLY_CLAIM: Final = "Monthly $38,880"

SINGLE: Final = PublishedReading(
    "single", "$259.20 in 24 h", 259_200_000_000, 1, 10, 1000, 30_000_000
)
SCALE_003: Final = PublishedReading(
    "scale-003", _MONTHLY_CLAIM, 38_880_000_000_000, 50, 10, 100, 3_000_000
)
SCALE_030: Final = PublishedReading(
    "scale-030", _MONTHLY_CLAIM, 38_880_000_000_000, 50, 10, 1000, 30_000_000
)
PUBLISHED: Final = (SINGLE, SCALE_003, SCALE_030)
