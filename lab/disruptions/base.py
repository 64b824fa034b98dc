"""The one interface of all disruptions."""

from dataclasses import dataclass
from typing import Protocol

from lab.stack import Stack
from lab.waiting import Waiter


@dataclass(frozen=True, slots=True)
class DisruptionRecord:
    """What was done, and when, in Unix milliseconds.

    Attributes:
        began_unix_ms: the moment of the blow.
        state_gone_unix_ms: when no key of a workflow was left; None when that was not awaited.
        ended_unix_ms: when everything was back and ready.
    """

    kind: str
    began_unix_ms: int
    state_gone_unix_ms: int | None
    ended_unix_ms: int


class Disruption(Protocol):
    """Something that can happen to a stack.

    Attributes:
        kind: its name on the command line and in the control API.
        summary: one line for help and reports.
        on_demand: whether `runaway disrupt` offers it.
        loses_cache: whether the engine's memory of its workflows is lost.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102  # described above

    @property
    def summary(self) -> str: ...  # noqa: D102

    @property
    def on_demand(self) -> bool: ...  # noqa: D102

    @property
    def loses_cache(self) -> bool: ...  # noqa: D102

    def longest_s(self, ttl_s: int | None, outage_s: float | None = None) -> float:
        """Return how long it takes at most, by its own deadlines, seconds."""

    def apply(
        self, stack: Stack, waiter: Waiter, *, ttl_s: int | None, outage_s: float | None = None
    ) -> DisruptionRecord:
        """Do it and return when it is over.

        Args:
            stack: what it is done to.
            waiter: for what it waits for.
            ttl_s: TTL of the workflow state; None when it never expires.
            outage_s: least time from the kill to the new start; None: the disruption's own.

        Raises:
            DeadlineError: the state had not expired well after `ttl_s`.
            CannotRunError: it needs state to expire and there is no TTL.
        """
