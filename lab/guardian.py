"""Ends every recorded process group when its supervisor is gone, however it went.

Run as `python -m lab.guardian <fd>`: reads JSON lines from a pipe whose only write end is in the
supervisor. `{"pid", "started"}` records a group leader, `{"pid"}` alone forgets it; `{"undo"}` a
command line that takes away what is no process of ours, `{"undone"}` forgets it. At the pipe's end
it kills what is still recorded, runs the command lines that are left, and exits. It never kills a
pid that was given to another process since.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Far below the time in which a system gives a pid away again.
_SAME_START_S = 0.05
UNDO_TIMEOUT_S = 60.0


def start_time(pid: int) -> float | None:
    """Return when a process started, in seconds; None when there is none.

    On Linux since boot, as the kernel counts it (proc(5), field 22): a wall-clock time would move
    with every correction of the clock. Elsewhere since the epoch, as the kernel stored it.
    """
    if sys.platform != "linux":
        return _start_time_by_psutil(pid)
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold blanks and parentheses itself.
    ticks = int(status.rpartition(")")[2].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


def _start_time_by_psutil(pid: int) -> float | None:
    import psutil  # noqa: PLC0415  # not needed on Linux, where it would delay the guardian

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_same(pid: int, started: float) -> bool:
    """Tell whether `pid` is still the process that was recorded."""
    current = start_time(pid)
    return current is not None and abs(current - started) <= _SAME_START_S


def kill_group(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal a whole process group; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def kill_recorded(leaders: Mapping[int, float], *, orphans: bool) -> list[int]:
    """SIGKILL the groups whose leader is still the recorded process; return those.

    With `orphans` also the groups whose leader is gone while members may live. That is sound only
    right after the supervisor died: until then a dead leader was its zombie, so its pid was not
    given away.
    """
    killed = []
    for pid, started in leaders.items():
        gone = start_time(pid) is None
        if (gone and orphans) or is_same(pid, started):
            kill_group(pid)
            killed.append(pid)
    return killed


@dataclass(slots=True)
class Recorded:
    """What has to go when the supervisor is gone.

    Attributes:
        leaders: of process groups: pid to start time.
        undo: command lines.
    """

    leaders: dict[int, float] = field(default_factory=dict)
    undo: list[list[str]] = field(default_factory=list)

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take in one line of the supervisor's."""
        if "undo" in entry:
            self.undo.append(entry["undo"])
        elif "undone" in entry:
            self.undo.remove(entry["undone"])
        elif "started" in entry:
            self.leaders[int(entry["pid"])] = float(entry["started"])
        else:
            self.leaders.pop(int(entry["pid"]), None)


def follow(lines: Iterable[str]) -> Recorded:
    """Apply the supervisor's lines until they end; return what is still recorded."""
    recorded = Recorded()
    for line in lines:
        # The last line may be cut when the supervisor dies while it writes.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            recorded.apply(json.loads(line))
    return recorded


def run_quietly(command: list[str]) -> None:
    """Run a command line to its end; nobody is there to hear of a failure."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603  # the supervisor's own
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=UNDO_TIMEOUT_S,
            check=False,
        )


def main() -> None:
    """Guard until the pipe ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as pipe:
        recorded = follow(pipe)
    kill_recorded(recorded.leaders, orphans=True)
    for command in recorded.undo:
        run_quietly(command)


if __name__ == "__main__":
    main()
