"""How often one activity without a workflow is executed, as a function of time: exact fractions.

Two laws bound it. Each chain of executions runs back to back, and each short restart of the
sidecar adds a chain. And the job's retry clock: its n-th retry is due n seconds after the
first delivery, however many chains there are, and what is past due is due at once.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from lab.projection.assumptions import TICK_S, Assumptions
from lab.projection.volume import DAY_S


@dataclass(frozen=True, slots=True)
class Repetition:
    """One activity; times are seconds since its state was lost.

    Attributes:
        call_s: length of one execution.
        first_chains: executions side by side in the beginning.
        restarts_per_day: short restarts, evenly spread; the n-th comes n intervals after the loss.
    """

    call_s: Fraction
    first_chains: int
    restarts_per_day: Fraction

    @classmethod
    def of(cls, assumed: Assumptions) -> "Repetition":
        """Return how the activities of a projection come again."""
        return cls(assumed.call_s, assumed.first_chains, assumed.short_restarts_per_day)

    def executions(self, seconds: Fraction) -> Fraction:
        """Return the executions until then; one that still runs counts as the part that is done."""
        return min(self.back_to_back(seconds), self.due(seconds))

    def back_to_back(self, seconds: Fraction) -> Fraction:
        """Return the executions that all chains make without rest: the sum of a growing series."""
        restarts = self._restarts_before(seconds)
        rest_s = seconds - restarts * self._interval_s
        return (self._worked_s(restarts) + self._chains_after(restarts) * rest_s) / self.call_s

    def due(self, seconds: Fraction) -> Fraction:
        """Return the executions that the retry clock lets through, one a tick."""
        return seconds / TICK_S

    @property
    def bound_from_s(self) -> Fraction | None:
        """From when on the clock, not the number of chains, limits the executions; None: never.

        The chains have then made up for all that the clock had let through before: with c chains
        at first, in the interval after restart n = floor(2 (call / tick - c)) + 1.
        """
        spare = self.call_s / TICK_S - self.first_chains
        if spare < 0:
            return Fraction(0)
        if not self.restarts_per_day:
            return None
        restarts = floor(2 * spare) + 1
        chain_intervals = Fraction(restarts * (restarts + 1), 2)
        return chain_intervals * self._interval_s / (restarts - spare)

    def is_bound(self, seconds: Fraction) -> bool:
        """Tell whether the clock limits the executions at that time."""
        return self.bound_from_s is not None and self.bound_from_s < seconds

    def side_by_side(self, seconds: Fraction) -> int:
        """Return how many executions ran at the same time just before then."""
        if self.is_bound(seconds):
            return ceil(self.call_s / TICK_S)
        return self._chains_after(self._restarts_before(seconds))

    def per_s(self, seconds: Fraction) -> Fraction:
        """Return the executions a second just before then."""
        tick = Fraction(1, TICK_S)
        return tick if self.is_bound(seconds) else self.side_by_side(seconds) / self.call_s

    def seconds_until(self, executions: Fraction) -> Fraction:
        """Return when so many executions have been made."""
        work_s = executions * self.call_s
        restarts = self._restarts_within(work_s)
        rest_s = (work_s - self._worked_s(restarts)) / self._chains_after(restarts)
        return max(restarts * self._interval_s + rest_s, executions * TICK_S)

    @property
    def _interval_s(self) -> Fraction:
        return DAY_S / self.restarts_per_day if self.restarts_per_day else Fraction(0)

    def _chains_after(self, restarts: int) -> int:
        return self.first_chains + restarts

    def _restarts_before(self, seconds: Fraction) -> int:
        return max(0, ceil(seconds * self.restarts_per_day / DAY_S) - 1)

    def _worked_s(self, restarts: int) -> Fraction:
        """Return the seconds that all chains together have run when so many restarts are over."""
        chains = restarts * self.first_chains + restarts * (restarts - 1) // 2
        return chains * self._interval_s

    def _restarts_within(self, work_s: Fraction) -> int:
        """Return the restarts that came before the chains had run so long in all."""
        if not self.restarts_per_day:
            return 0
        low, high = 0, 1
        while self._worked_s(high) < work_s:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if self._worked_s(middle) < work_s:
                low = middle
            else:
                high = middle
        return low
