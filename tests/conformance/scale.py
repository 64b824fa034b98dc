"""The runaway at scale: executions in each 10 s, beside those that were recorded on real Dapr."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from tests.conformance.bench import Bench, until
from tests.conformance.exchange import RECORDINGS
from tests.conformance.scenarios.calls import start

WINDOW_S = 10.0
# What starts within a window by the clock of the loop may begin a moment after it.
_TOLERANCE = 0.1
_THREADS = "256"
_STARTERS = 16
_AGAIN_WITHIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: what was lost, and how often activities were executed afterwards.

    Attributes:
        instances: Workflows, each with `width` activities in flight.
        activity_s: How long an activity takes.
        outages_s: From each SIGKILL of the sidecar to its start; the first loses the state.
        every_s: Between two outages, counted from the first re-execution.
        windows: Recorded executions in each 10 s; the last one goes on.
        recorded: The same in words.
    """

    name: str
    version: str
    workflow: str
    instances: int
    activity_s: float
    outages_s: Sequence[float]
    windows: Sequence[int]
    recorded: str
    width: int = 1
    every_s: float = 0.0

    @property
    def in_flight(self) -> int:
        """Return how many activities are in flight when the state is lost."""
        return self.instances * self.width


@dataclass(frozen=True, slots=True)
class Counted:
    """A row that was played.

    Attributes:
        windows: Executions in each 10 s after the first re-execution.
    """

    row: Row
    windows: Sequence[int]

    @property
    def is_as_recorded(self) -> bool:
        """Tell whether each window is within a tenth of the recorded one.

        The first windows after a restart hold the reconnect of the SDK, which is a matter of luck.
        """
        if not self.row.every_s:
            pairs = zip(self.windows, self.row.windows, strict=True)
            return all(abs(ours - real) <= max(1, _TOLERANCE * real) for ours, real in pairs)
        return sorted(set(self.row.windows)) == sorted(set(self.windows) & set(self.row.windows))


def rows() -> list[Row]:
    """Return the recorded rows."""
    document: dict[str, Any] = yaml.safe_load((RECORDINGS / "scale.yaml").read_text())
    return [Row(**each) for each in document["rows"]]


def worker_app(module: str) -> tuple[str, ...]:
    """Return the worker app with as many threads as was recorded."""
    return (module, _THREADS)


def play(bench: Bench, row: Row) -> Counted:
    """Play a row on a fresh bench."""
    instances = [f"scale-{n:03}" for n in range(row.instances)]
    hold = bench.directory / "hold"
    asked: dict[str, Any] = {"sleep": row.activity_s, "hold": str(hold)}
    asked |= {"steps": 1} if row.workflow == "seq" else {"width": row.width}
    hold.touch()
    with ThreadPoolExecutor(_STARTERS) as pool:
        list(pool.map(lambda each: start(bench, row.workflow, each, asked), instances))
    until(lambda: len(_starts(bench)) >= row.in_flight, 60, "all activities in flight")
    began = time.time()
    _outage(bench, row, row.outages_s[0], is_loss=True)
    until(lambda: any(each > began for each in _starts(bench)), _AGAIN_WITHIN_S, "a re-execution")
    first = next(each for each in _starts(bench) if each > began)
    for number, outage_s in enumerate(row.outages_s[1:], 1):
        time.sleep(max(0.0, first + number * row.every_s - time.time()))
        _outage(bench, row, outage_s, is_loss=False)
    end = first + len(row.windows) * WINDOW_S
    time.sleep(max(0.0, end - time.time()))
    return Counted(row, count(_starts(bench), first, len(row.windows)))


def count(times: Sequence[float], first: float, windows: int) -> list[int]:
    """Return how many of the times (seconds) fall into each window from the first on."""
    found = [0] * windows
    for each in times:
        number = int((each - first) // WINDOW_S)
        if 0 <= number < windows:
            found[number] += 1
    return found


def print_rows(counted: Sequence[Counted]) -> None:
    """Print the windows beside the recorded ones."""
    table = Table("row", "version", "recorded", "executions in each 10 s", "as recorded")
    for each in counted:
        windows = ", ".join(map(str, each.windows))
        told = "yes" if each.is_as_recorded else "no"
        table.add_row(each.row.name, each.row.version, each.row.recorded, windows, told)
    Console().print(table)


def logs(directory: Path, row: Row) -> Path:
    """Return a folder for a row."""
    return directory / f"{row.version}-{row.name.replace(' ', '-').replace(',', '')}"


def _outage(bench: Bench, row: Row, outage_s: float, *, is_loss: bool) -> None:
    """Kill the sidecar and start it again; what is in flight outlives a short outage alone.

    How long a sidecar takes to start and an app to come back is a matter of the machine.
    """
    hold = bench.directory / "hold"
    is_short = outage_s < row.activity_s
    if is_short:
        hold.touch()
    else:
        hold.unlink(missing_ok=True)
    bench.tap.hold()
    bench.kill_sidecar()
    if is_loss:
        bench.redis.flushall()
    time.sleep(outage_s)
    known = len(_starts(bench))
    if not is_short:
        until(lambda: len(_ends(bench)) == known, _AGAIN_WITHIN_S, "all executions to end")
    bench.start_sidecar()
    bench.tap.release()
    bench.connected()
    if is_short:
        until(lambda: len(_starts(bench)) >= known + row.in_flight, _AGAIN_WITHIN_S, "all again")
        hold.unlink()


def _starts(bench: Bench) -> list[float]:
    return [each["at"] for each in bench.journaled() if each["event"] == "start"]


def _ends(bench: Bench) -> list[float]:
    return [each["at"] for each in bench.journaled() if each["event"] == "end"]
