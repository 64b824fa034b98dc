"""Reads what Redis holds of the instances, past the sidecar, and checks that it agrees."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from sidecar.protos import BackendWorkflowStateMetadata, HistoryEvent

_PREFIX = "lab||dapr.internal.default.lab.workflow||"
_READ = Path(__file__).with_name("read_rows.lua").read_text(encoding="utf-8")
_ASKS = {
    "taskScheduled": "task",
    "timerCreated": "timer",
    "childWorkflowInstanceCreated": "child",
}
_ANSWERS = {
    "taskCompleted": ("task", "taskScheduledId"),
    "taskFailed": ("task", "taskScheduledId"),
    "childWorkflowInstanceCompleted": ("child", "taskScheduledId"),
    "childWorkflowInstanceFailed": ("child", "taskScheduledId"),
    "timerFired": ("timer", "timerId"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one instance."""

    instance: str
    history: tuple[HistoryEvent, ...]
    inbox: tuple[HistoryEvent, ...]
    faults: tuple[str, ...]

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of the events in the history."""
        return [str(each.WhichOneof("eventType")) for each in self.history]

    def holds(self, kind: str) -> bool:
        """Tell whether history or inbox has an event of that kind."""
        return any(each.WhichOneof("eventType") == kind for each in (*self.history, *self.inbox))


def instances(client: redis.Redis, prefix: str = "") -> list[str]:
    """Return the ids of the instances of which Redis holds a row."""
    keys: Any = client.keys(f"{_PREFIX}{prefix}*")
    return sorted({each.decode().removeprefix(_PREFIX).rpartition("||")[0] for each in keys})


def read(client: redis.Redis, instance: str) -> Rows:
    """Return the rows of an instance, and where they do not agree."""
    rows: Any = client.eval(_READ, 0, f"{_PREFIX}{instance}||*")
    found = {key.decode().rpartition("||")[2]: data for key, data in sorted(rows)}
    history = _events(found, "history-")
    inbox = _events(found, "inbox-")
    faults = [*_lengths(found, len(history), len(inbox)), *order_faults(history)]
    return Rows(instance, history, inbox, tuple(f"{instance}: {each}" for each in faults))


def _events(found: Mapping[str, bytes], prefix: str) -> tuple[HistoryEvent, ...]:
    return tuple(
        HistoryEvent.FromString(data) for name, data in found.items() if name.startswith(prefix)
    )


def _lengths(found: Mapping[str, bytes], history: int, inbox: int) -> list[str]:
    if "metadata" not in found:
        return [f"no metadata beside {sorted(found)}"] if found else []
    told = BackendWorkflowStateMetadata.FromString(found["metadata"])
    faults = []
    for noun, rows, length in (
        ("history", history, told.historyLength),
        ("inbox", inbox, told.inboxLength),
    ):
        expected = {f"{noun}-{n:06d}" for n in range(length)}
        there = {each for each in found if each.startswith(f"{noun}-")}
        if there != expected:
            faults.append(f"{noun}Length is {length}, and there are {rows} rows: {sorted(there)}")
    return faults


def order_faults(history: Sequence[HistoryEvent]) -> list[str]:
    """Check that each task, timer and child is asked for once, and answered once and afterwards."""
    asked: set[tuple[str, int]] = set()
    answered: Counter[tuple[str, int]] = Counter()
    faults = []
    for each in history:
        kind = str(each.WhichOneof("eventType"))
        if kind in _ASKS:
            key = (_ASKS[kind], each.eventId)
            if key in asked:
                faults.append(f"{key} is asked for twice")
            asked.add(key)
        if kind in _ANSWERS:
            noun, name = _ANSWERS[kind]
            key = (noun, getattr(getattr(each, kind), name))
            answered[key] += 1
            if key not in asked:
                faults.append(f"{key} is answered before it is asked for")
    faults += [f"{key} is answered {times} times" for key, times in answered.items() if times > 1]
    return faults
