"""When each workflow of a run is to start: an absolute schedule, so that a slow answer delays none.

Thread of control: whoever takes a ticket waits until its time and starts that workflow.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """The n-th start of a run and its intended time, in seconds after the run's beginning."""

    number: int
    at_s: float


class Schedule:
    """Hands out each of a run's starts once; in a distributed run, this process's share of them."""

    def __init__(
        self, *, workflows: int, rate_per_s: float, share: int = 0, shares: int = 1
    ) -> None:
        self._next = 1 + share
        self._step = shares
        self._workflows = workflows
        self._rate_per_s = rate_per_s

    def take(self) -> Ticket | None:
        """Return the next start, or None when all are taken."""
        if self._next > self._workflows:
            return None
        number = self._next
        self._next += self._step
        return Ticket(number, (number - 1) / self._rate_per_s)
