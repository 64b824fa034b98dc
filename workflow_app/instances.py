"""What is known of each workflow instance: what the engine says beside what this process saw.

A compacting feed: an instance stands in it once, at its latest change. Bounded, and safe to use
from several threads. It never derives one side from the other.
"""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from workflow_app.feed import Page

NOT_FOUND: Final = "NOT_FOUND"
UNREACHABLE: Final = "UNREACHABLE"
ENDED: Final = frozenset({"COMPLETED", "FAILED", "TERMINATED"})


@dataclass(frozen=True, slots=True)
class EngineView:
    """What the engine answered.

    Attributes:
        status: A Dapr runtime status, `NOT_FOUND`, `UNREACHABLE`; None before it was asked.
        checked_unix_ms: When it was asked.
        detail: The engine's own words where it answered with an error.
    """

    status: str | None = None
    checked_unix_ms: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class AppView:
    """What this process saw of an instance.

    Attributes:
        executions: Executions of activities that have ended.
        refusals: Those of them that a budget refused.
        in_flight: Executions that run.
        last_execution_unix_ms: When the latest one began.
        returns: How often the workflow function returned in this process.
    """

    executions: int = 0
    refusals: int = 0
    in_flight: int = 0
    last_execution_unix_ms: int | None = None
    returns: int = 0

    @property
    def finished(self) -> bool:
        """Whether the workflow function returned in this process."""
        return self.returns > 0

    def since(self, earlier: "AppView") -> "AppView":
        """Return what was seen after `earlier`, and what still runs."""
        latest = self.last_execution_unix_ms
        return AppView(
            executions=max(0, self.executions - earlier.executions),
            refusals=max(0, self.refusals - earlier.refusals),
            in_flight=self.in_flight,
            last_execution_unix_ms=None if latest == earlier.last_execution_unix_ms else latest,
            returns=max(0, self.returns - earlier.returns),
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """One workflow instance.

    `started_unix_ms`, when this process asked for its start, is None when another process did;
    `accepted_unix_ms` is when the engine had answered that.
    """

    instance_id: str
    name: str
    started_unix_ms: int | None = None
    input: dict[str, Any] | None = None
    accepted_unix_ms: int = 0
    engine: EngineView = field(default_factory=EngineView)
    app: AppView = field(default_factory=AppView)
    purged: bool = False
    seq: int = 0

    @property
    def settled(self) -> bool:
        """Whether the engine has nothing new to say: it ended, or was purged."""
        return self.purged or self.engine.status in ENDED

    def as_json(self) -> dict[str, Any]:
        """Return the entry of the feed."""
        return {
            "seq": self.seq,
            "instance_id": self.instance_id,
            "name": self.name,
            "started_unix_ms": self.started_unix_ms,
            "engine": {
                "status": self.engine.status,
                "checked_unix_ms": self.engine.checked_unix_ms,
                "detail": self.engine.detail,
            },
            "app": {
                "executions": self.app.executions,
                "refusals": self.app.refusals,
                "in_flight": self.app.in_flight,
                "last_execution_unix_ms": self.app.last_execution_unix_ms,
                "finished": self.app.finished,
            },
        }


class Instances:
    """Remembers the `limit` latest instances; those that have ended are forgotten first."""

    def __init__(self, *, limit: int, first: int) -> None:
        self._limit = limit
        self._next = first
        self._known: OrderedDict[str, Instance] = OrderedDict()
        self._open: OrderedDict[str, None] = OrderedDict()
        self._settled: OrderedDict[str, None] = OrderedDict()
        self._forgotten: deque[int] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def get(self, instance_id: str) -> Instance | None:
        """Return what is known of an instance."""
        with self._lock:
            return self._known.get(instance_id)

    def started(
        self,
        instance_id: str,
        *,
        name: str,
        given: dict[str, Any],
        at_unix_ms: int,
        accepted_unix_ms: int = 0,
        before: Instance | None = None,
    ) -> None:
        """Note that the engine accepted a start.

        Args:
            instance_id: Of the new instance.
            name: Of its workflow.
            given: Its input.
            at_unix_ms: When the engine was asked.
            accepted_unix_ms: When it had answered.
            before: What was known of the id before the engine was asked: the former run.
        """
        with self._lock:
            known = self._known.get(instance_id) or Instance(instance_id, name)
            if before is not None:
                known = Instance(instance_id, name, app=known.app.since(before.app))
            new = replace(known, name=name, started_unix_ms=at_unix_ms, input=given)
            self._put(replace(new, accepted_unix_ms=accepted_unix_ms))

    def execution_began(self, instance_id: str, *, name: str, at_unix_ms: int) -> None:
        """Note that an execution of one of its activities begins."""
        with self._lock:
            known = self._known.get(instance_id) or Instance(instance_id, name)
            seen = replace(
                known.app,
                in_flight=known.app.in_flight + 1,
                last_execution_unix_ms=at_unix_ms,
            )
            self._put(replace(known, app=seen))

    def execution_ended(self, instance_id: str, *, refused: bool) -> None:
        """Note that an execution of one of its activities has ended."""
        with self._lock:
            known = self._known.get(instance_id)
            if known is None:
                return
            seen = replace(
                known.app,
                in_flight=max(0, known.app.in_flight - 1),
                executions=known.app.executions + 1,
                refusals=known.app.refusals + refused,
            )
            self._put(replace(known, app=seen))

    def function_returned(self, instance_id: str, *, name: str) -> None:
        """Note that the workflow function returned in this process."""
        with self._lock:
            known = self._known.get(instance_id) or Instance(instance_id, name)
            updated = replace(known, app=replace(known.app, returns=known.app.returns + 1))
            if known.app.finished:
                self._known[instance_id] = updated
            else:
                self._put(updated)

    def engine_said(self, instance_id: str, view: EngineView) -> None:
        """Note the engine's answer; only a new status or detail is a change in the feed.

        What it was asked before it had accepted the instance's start may be about a former run.
        """
        with self._lock:
            known = self._known.get(instance_id)
            if known is None or known.settled:
                return
            if (view.checked_unix_ms or 0) <= known.accepted_unix_ms:
                return
            updated = replace(known, engine=view)
            if (view.status, view.detail) == (known.engine.status, known.engine.detail):
                self._known[instance_id] = updated
            else:
                self._put(updated)

    def purged(self, instance_id: str, view: EngineView) -> None:
        """Note that the engine has purged the instance, and what it has said since."""
        with self._lock:
            known = self._known.get(instance_id)
            if known is not None:
                self._put(replace(known, purged=True, engine=view))

    def next_open(self, limit: int) -> list[str]:
        """Return up to `limit` unsettled instances, those that were not returned for longest."""
        with self._lock:
            chosen = list(islice(self._open, limit))
            for instance_id in chosen:
                self._open.move_to_end(instance_id)
            return chosen

    def by_status(self) -> dict[tuple[str, str], int]:
        """Count the remembered instances by name and status of the engine."""
        with self._lock:
            counts: dict[tuple[str, str], int] = {}
            for known in self._known.values():
                key = (known.name, known.engine.status or "UNASKED")
                counts[key] = counts.get(key, 0) + 1
            return counts

    def read(self, after: int, limit: int) -> Page:
        """Return the instances that changed after the cursor `after`, the oldest change first."""
        with self._lock:
            newest_first = []
            for known in reversed(self._known.values()):
                if known.seq <= after:
                    break
                newest_first.append(known)
            dropped = sum(seq > after for seq in self._forgotten)
        page = newest_first[::-1][:limit]
        return Page([known.as_json() for known in page], page[-1].seq if page else after, dropped)

    def _put(self, instance: Instance) -> None:
        instance_id = instance.instance_id
        self._known[instance_id] = replace(instance, seq=self._next)
        self._known.move_to_end(instance_id)
        self._next += 1
        if instance.settled:
            self._open.pop(instance_id, None)
            self._settled[instance_id] = None
        else:
            self._settled.pop(instance_id, None)
            self._open.setdefault(instance_id, None)
        if len(self._known) > self._limit:
            self._forgotten.append(self._drop(next(iter(self._settled or self._known))))

    def _drop(self, instance_id: str) -> int:
        self._open.pop(instance_id, None)
        self._settled.pop(instance_id, None)
        return self._known.pop(instance_id).seq
