"""What the workers executed, as they wrote it down themselves."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sidecar.protos import HistoryEvent

_Task = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Journal:
    """All executions of a run.

    Attributes:
        starts: Executions that began, by instance, task id and execution id.
        outputs: What ended executions returned, with instance and task id.
    """

    starts: Counter[_Task]
    outputs: frozenset[_Task]

    @property
    def executions(self) -> int:
        """Return how many executions began."""
        return self.starts.total()

    @property
    def repeated(self) -> int:
        """Return how many of them repeated an earlier one of the same task."""
        return self.executions - len(self.starts)

    @property
    def most(self) -> int:
        """Return the most executions of one task."""
        return max(self.starts.values(), default=0)

    def unfounded(self, instance: str, history: tuple[HistoryEvent, ...]) -> list[str]:
        """Return the results in a history that no execution of that task returned."""
        faults = []
        for each in history:
            if each.HasField("taskCompleted"):
                task = str(each.taskCompleted.taskScheduledId)
                output = json.loads(each.taskCompleted.result.value)
                if (instance, task, output) not in self.outputs:
                    faults.append(f"{instance}: task {task} has the result {output} of nobody")
        return faults


def read(path: Path) -> Journal:
    """Return what has been written; a worker that was killed may leave half a line."""
    starts: Counter[_Task] = Counter()
    outputs: set[_Task] = set()
    text = path.read_text() if path.exists() else ""
    for line in text.splitlines():
        try:
            each = json.loads(line)
        except ValueError:
            continue
        instance, task = each["instance"], str(each["task"])
        if each["event"] == "start":
            starts[instance, task, each["execution_id"]] += 1
        elif each["event"] == "end":
            outputs.add((instance, task, each["output"]))
    return Journal(starts, frozenset(outputs))
