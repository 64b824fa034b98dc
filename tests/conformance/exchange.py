"""What was said and done in a scenario, on real Dapr or on the sidecar under test, in one form."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.bench import Bench
from tests.conformance.needs import Need
from tests.sidecar import traces
from tests.sidecar.wiretap import Message

RECORDINGS = Path(__file__).parents[1] / "data" / "dapr-traces"
_WORTH_LOGGING = ("warning", "error")


@dataclass(frozen=True, slots=True)
class Execution:
    """The start or the end of one execution of an activity.

    Attributes:
        at: Seconds, on the clock of its exchange.
        event: `start` or `end`; one that fails has no end.
    """

    at: float
    instance: str
    task: int
    event: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """All that is compared of a scenario.

    Attributes:
        messages: Between app or client and sidecar, oldest first.
        executions: Of activities, oldest first.
        logged: How often the sidecar has logged a message as a warning or an error; None: unknown.
        restarted_at: When the sidecar was started again, if it was.
        notes: What the driver itself has seen, by what it looked at.
    """

    messages: Sequence[Message] = ()
    executions: Sequence[Execution] = ()
    logged: Mapping[str, int] | None = None
    restarted_at: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def versions(recording: str) -> list[str]:
    """Return the versions of Dapr on which a recording was made."""
    return sorted(each.parent.name for each in RECORDINGS.glob(f"*/{recording}.jsonl"))


def recorded(version: str, recording: str) -> Exchange:
    """Return what was recorded on real Dapr."""
    path = RECORDINGS / version / f"{recording}.jsonl"
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    notes = [each for each in lines if each["dir"] == "note"]
    started = [each["t"] for each in notes if each.get("event") == "daprd started"]
    return Exchange(
        traces.recorded(version, recording),
        _executions(each for each in lines if each["dir"] == "app"),
        _counted((each["msg"], each["times"]) for each in notes if "msg" in each),
        started[-1] if started else None,
        _noted(notes),
    )


def _noted(notes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what raw calls returned, by their name, and which rows Redis had at each look."""
    noted: dict[str, Any] = {}
    for each in notes:
        if each.get("event") == "client":
            noted[each["call"]] = each["error"] if "error" in each else each.get("result")
        elif each.get("event") == "redis keys":
            noted.setdefault("rows", []).append([row for row, _ in each["keys"]])
            noted.setdefault("ttls", []).append(len({ttl_s for _, ttl_s in each["keys"]}))
        elif each.get("event") == "daprd exited":
            noted["exit"] = each["rc"]
    return noted


def _executions(lines: Iterable[Mapping[str, Any]]) -> list[Execution]:
    return [
        Execution(
            each["t"], each["instance"], each["task"], each["event"].removeprefix("activity-")
        )
        for each in lines
        if each["event"] in ("activity-start", "activity-end")
    ]


def _counted(lines: Iterable[tuple[str, int]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for message, times in lines:
        # The recorder wrote quotes as the log does, with a backslash.
        counted[message.replace('\\"', '"')] += times
    return counted


def seen(
    bench: Bench, since: float, restarted_at: float | None, notes: Mapping[str, Any]
) -> Exchange:
    """Return what has passed on a bench since a time (seconds of the wall clock)."""
    known = [each for each in bench.journaled() if each["at"] >= since]
    logged = None
    if Need.LOG in bench.handles:
        lines = [each for each in bench.log() if each["level"] in _WORTH_LOGGING]
        logged = _counted((each["event"], 1) for each in lines)
    return Exchange(
        [each for each in list(bench.tap.messages) if each.at >= since],
        [
            Execution(each["at"], each["instance"], each["task"], each["event"])
            for each in known
            if each["event"] in ("start", "end")
        ],
        logged,
        restarted_at,
        notes,
    )
