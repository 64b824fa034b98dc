"""A long history that remembers what has been read off it, so that a turn need not read it whole.

Pure. A history is only ever added to; what a longer one begins with is not read again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from sidecar.engine.events import NO_ID, answers, has_version
from sidecar.protos import HistoryEvent

# Below this many events a look at all of them costs less.
_INDEXED_FROM = 64
_PAUSES = ("executionSuspended", "executionResumed")


@dataclass(frozen=True, slots=True)
class Index:
    """What has been read off a history.

    Attributes:
        started: The first `executionStarted`.
        completed: The last `executionCompleted`.
        paused: The last `executionSuspended` or `executionResumed`.
        versioned: The `workflowStarted` of turns that keep a version or patches.
        answered: The tasks, timers and children that have been answered.
        by_id: The events that have an id.
    """

    started: HistoryEvent | None = None
    completed: HistoryEvent | None = None
    paused: HistoryEvent | None = None
    versioned: tuple[HistoryEvent, ...] = ()
    answered: frozenset[tuple[str, int]] = frozenset()
    by_id: Mapping[int, tuple[HistoryEvent, ...]] = field(default_factory=dict)

    def followed_by(self, new: Iterable[HistoryEvent]) -> "Index":
        """Return the index of a history with more events."""
        started, completed, paused = self.started, self.completed, self.paused
        versioned, answered, by_id = [*self.versioned], set(self.answered), dict(self.by_id)
        for each in new:
            kind = each.WhichOneof("eventType")
            if kind == "executionStarted":
                started = started or each
            elif kind == "executionCompleted":
                completed = each
            elif kind in _PAUSES:
                paused = each
            elif has_version(each):
                versioned.append(each)
            if answer := answers(each):
                answered.add(answer)
            if each.eventId != NO_ID:
                by_id[each.eventId] = (*by_id.get(each.eventId, ()), each)
        return Index(started, completed, paused, tuple(versioned), frozenset(answered), by_id)


class History(tuple[HistoryEvent, ...]):  # noqa: SLOT001 - the index is made when it is needed
    """The events of a history."""

    _index: Index | None

    def __new__(cls, events: Iterable[HistoryEvent] = (), index: Index | None = None) -> Self:
        """Return a history; `index` is what is known of it already."""
        made = super().__new__(cls, events)
        made._index = index
        return made

    def followed_by(self, new: Sequence[HistoryEvent]) -> Self:
        """Return the history with more events."""
        index = None if self._index is None else self._index.followed_by(new)
        return type(self)((*self, *new), index)

    @property
    def indexed(self) -> Index | None:
        """Return what has been read off it; None where a look at all of it costs less."""
        if self._index is None and len(self) >= _INDEXED_FROM:
            self._index = Index().followed_by(self)
        return self._index


def index_of(history: Iterable[HistoryEvent]) -> Index | None:
    """Return the index of a history that has one."""
    return history.indexed if isinstance(history, History) else None
