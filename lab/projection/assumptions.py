"""What a projection takes for granted: every input, and what follows from each at once."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from lab.expectation import Again, expected_again
from lab.projection.volume import MONTH_DAYS

TICK_S: Final = 1
"""Dapr's failure policy of an activity: constant, one second, without a limit."""


class StateLoss(StrEnum):
    """Whether the state is gone when the sidecar is back, whenever in a call it went away."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The inputs; the defaults are the published single case.

    Attributes:
        workflows: workflows that lose their state.
        in_flight: activities in flight in each of them at that moment.
        call_s: how long one execution of an activity takes.
        tokens: tokens of a call, when its price was made of them; None for a price a call.
        nano_usd_per_call: what one execution pays.
        ttl_s: TTL of the workflow state; None: it never expires.
        profile: version of Dapr.
        short_restarts_per_day: further restarts of the sidecar, evenly spread, each shorter than
            the activity and after the state was lost.
        outage_s: the first absence of the sidecar; None: just as long as both call and TTL.
        days: how far to look ahead.
        cap_nano_usd: hard cap of the gateway for all of these workflows together.
        zombie_executions: the execution of one activity at which the gateway stops it.
    """

    name: str = "single"
    workflows: int = 1
    in_flight: int = 1
    call_s: Fraction = Fraction(10)
    tokens: int | None = 1000
    nano_usd_per_call: int = 30_000_000
    ttl_s: Fraction | None = Fraction(5)
    profile: str = "1.16.1"
    short_restarts_per_day: Fraction = Fraction(0)
    outage_s: Fraction | None = None
    days: Fraction = Fraction(MONTH_DAYS)
    cap_nano_usd: int = 10 * 10**9
    zombie_executions: int = 5

    @property
    def activities(self) -> int:
        """Activities in flight when the state is lost."""
        return self.workflows * self.in_flight

    @property
    def period_s(self) -> Fraction:
        """Time between two executions of one activity, once it has caught up."""
        return max(Fraction(TICK_S), self.call_s)

    @property
    def away_s(self) -> Fraction:
        """How long the sidecar is away for the first time."""
        if self.outage_s is not None:
            return self.outage_s
        return max(self.call_s, self.ttl_s or Fraction(0))

    @property
    def first_chains(self) -> int:
        """Executions of one activity side by side after the first outage.

        Back before the call has ended, the sidecar starts a second execution beside the first,
        whose late result fails the job and starts the next one: two chains that never merge.
        """
        return 2 if self.away_s < self.call_s else 1

    @property
    def needed_age_s(self) -> Fraction | None:
        """How old a call must be when the sidecar goes, for its state to expire meanwhile.

        The state is last written when the activity is scheduled. None: it never expires.
        """
        return None if self.ttl_s is None else max(Fraction(0), self.ttl_s - self.away_s)

    @property
    def state_loss(self) -> StateLoss:
        """Whether the state is gone when the sidecar is back."""
        age_s = self.needed_age_s
        if age_s is None or age_s >= self.call_s:
            return StateLoss.NEVER
        return StateLoss.ALWAYS if age_s == 0 else StateLoss.SOMETIMES

    @property
    def again(self) -> Again:
        """How often each activity is executed again, where its state is lost.

        Raises:
            ValueError: Nobody knows what that version does.
        """
        found = expected_again(self.profile, loses_cache=self.state_loss is not StateLoss.NEVER)
        if found is None:
            raise ValueError(f"profile: nobody has read what Dapr {self.profile} does")
        return found

    @property
    def caught_up(self) -> Fraction | None:
        """Executions of one activity that follow back to back once the sidecar is back.

        None where a call takes a tick of the retry clock or longer: those are always back to back,
        and where nothing comes again without end. While
        n of them run, n calls' time passes, in which as many seconds fall due in addition.
        """
        is_endless = self.again is Again.ENDLESS
        return self.away_s / (TICK_S - self.call_s) if is_endless and self.call_s < TICK_S else None


SINGLE_CASE: Final = Assumptions()
SCALE_CASE: Final = Assumptions(name="scale", workflows=50)
PRESETS: Final = {case.name: case for case in (SINGLE_CASE, SCALE_CASE)}
