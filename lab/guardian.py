"""Ends every recorded process group when its supervisor is gone, however it went.

Run as `python -m lab.guardian <fd>`: reads JSON lines from a pipe whose only write end is in the
supervisor. `{"pid", "started"}` records a group leader, `{"pid"}` alone forgets it. At the pipe's
end it kills what is still recorded and exits. It never kills a pid that was given to another
process since.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# Far below the time in which a system gives a pid away again.
_SAME_START_S = 0.05


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


def follow(lines: Iterable[str]) -> dict[int, float]:
    """Apply the supervisor's lines until they end; return what is still recorded."""
    leaders: dict[int, float] = {}
    for line in lines:
        # The last line may be cut when the supervisor dies while it writes.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            if "started" in entry:
                leaders[int(entry["pid"])] = float(entry["started"])
            else:
                leaders.pop(int(entry["pid"]), None)
    return leaders


def main() -> None:
    """Guard until the pipe ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as pipe:
        kill_recorded(follow(pipe), orphans=True)


if __name__ == "__main__":
    main()
