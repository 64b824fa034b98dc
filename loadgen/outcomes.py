"""What became of each workflow of a run, judged from the app's answers and its feed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

NOT_FOUND: Final = "NOT_FOUND"
_FAILED: Final = frozenset({"FAILED", "TERMINATED", "CANCELED"})


class Outcome(StrEnum):
    """State of one workflow; `OPEN` while the run goes on, `STUCK` or `LOST` when it has ended."""

    NOT_STARTED = "not_started"
    START_FAILED = "start_failed"
    OPEN = "open"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"
    STUCK = "stuck"


SETTLED: Final = (Outcome.START_FAILED, Outcome.FINISHED, Outcome.FAILED)
"""Nothing more is to come. A lost workflow may come back, so it is not settled."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """One workflow of the run.

    Attributes:
        asked: A start was sent.
        accepted: The app answered 202.
        refused: Why the start failed, if it did; a workflow that appears all the same has started.
        seen: It stood in the feed.
        status: What the engine says of it; None while the app has not asked.
        returned: Its function returned in the app's process.
        executions: Executions of its activities, those that run included.
    """

    asked: bool = False
    accepted: bool = False
    refused: str | None = None
    seen: bool = False
    status: str | None = None
    returned: bool = False
    executions: int = 0


def outcome(tracked: Tracked) -> Outcome:
    """Classify a workflow while the run goes on.

    It finished if the engine says so, or if its function returned: state that expires takes the
    engine's word away, but not the work that was done. What the engine does not know is lost.
    """
    if not tracked.seen:
        if tracked.refused is not None:
            return Outcome.START_FAILED
        return Outcome.OPEN if tracked.accepted else Outcome.NOT_STARTED
    if tracked.status in _FAILED:
        return Outcome.FAILED
    if tracked.status == "COMPLETED" or tracked.returned:
        return Outcome.FINISHED
    return Outcome.LOST if tracked.status == NOT_FOUND else Outcome.OPEN


def final_outcome(tracked: Tracked) -> Outcome:
    """Classify a workflow at the end of the run: what is open is stuck, or never appeared."""
    state = outcome(tracked)
    if state is Outcome.OPEN:
        return Outcome.STUCK if tracked.seen else Outcome.LOST
    if state is Outcome.NOT_STARTED and tracked.asked:
        return Outcome.START_FAILED
    return state


class Run:
    """All workflows of a run by instance id; ids of others in the feed are passed over."""

    def __init__(self, instance_ids: Iterable[str]) -> None:
        self._tracked = {instance_id: Tracked() for instance_id in instance_ids}
        self.counts: Counter[Outcome] = Counter({Outcome.NOT_STARTED: len(self._tracked)})
        self.executions = 0

    def asked(self, instance_id: str) -> None:
        """Note that a start was sent."""
        self._change(instance_id, asked=True)

    def accepted(self, instance_id: str) -> None:
        """Note that a start was accepted."""
        self._change(instance_id, asked=True, accepted=True)

    def refused(self, instance_id: str, reason: str) -> None:
        """Note that a start was answered with an error, or not at all."""
        self._change(instance_id, asked=True, refused=reason)

    def saw(self, entry: Mapping[str, Any]) -> bool:
        """Take an entry of the app's feed; return whether this one made a workflow finish."""
        instance_id = entry["instance_id"]
        if instance_id not in self._tracked:
            return False
        app = entry["app"]
        before, after = self._change(
            instance_id,
            seen=True,
            status=entry["engine"]["status"],
            returned=bool(app["finished"]),
            executions=int(app["executions"]) + int(app["in_flight"]),
        )
        return before is not Outcome.FINISHED and after is Outcome.FINISHED

    @property
    def started(self) -> int:
        """How many have started, whatever became of them."""
        return (
            len(self._tracked)
            - self.counts[Outcome.NOT_STARTED]
            - self.counts[Outcome.START_FAILED]
        )

    @property
    def settled(self) -> bool:
        """Whether every workflow was started, or failed to, and none has more to come."""
        return sum(self.counts[state] for state in SETTLED) == len(self._tracked)

    @property
    def draining(self) -> bool:
        """Whether a workflow that has started is still open."""
        return self.counts[Outcome.OPEN] > 0

    def finals(self) -> dict[str, Outcome]:
        """Classify all workflows as at the end of the run."""
        return {key: final_outcome(tracked) for key, tracked in self._tracked.items()}

    def _change(self, instance_id: str, **changes: Any) -> tuple[Outcome, Outcome]:
        before = self._tracked[instance_id]
        after = replace(before, **changes)
        self._tracked[instance_id] = after
        states = outcome(before), outcome(after)
        self.counts[states[0]] -= 1
        self.counts[states[1]] += 1
        self.executions += after.executions - before.executions
        return states
