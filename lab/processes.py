"""Starts processes that cannot outlive the lab, each in a process group of its own."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lab.clock import now_unix_ms
from lab.guardian import UNDO_TIMEOUT_S, kill_group, start_time
from lab.paths import ROOT

# The shell waits for a line that only comes once the guardian knows its pid; when the lab dies
# before, the pipe ends and the program is never run.
_GATE = 'read -r go && exec "$@" </dev/null'
_GUARDIAN_ENDS_S = 10.0


def tail_of(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@dataclass(slots=True)
class Child:
    """A running program.

    Attributes:
        started: when it started, as `guardian.start_time` says; with the pid its identity.
    """

    name: str
    popen: subprocess.Popen[bytes]
    started: float
    started_unix_ms: int
    log: Path

    @property
    def pid(self) -> int:
        """Return the pid, which is also the process group."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self.popen.poll()


@dataclass(slots=True)
class Nursery:
    """Starts children and tells the guardian of each before it runs.

    Use as a context manager: its end is the guardian's end.
    """

    _guardian: subprocess.Popen[bytes] | None = None
    _pipe: int = -1
    _leaders: dict[int, float] = field(default_factory=dict)
    _undo: list[list[str]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> Self:
        self._start_guardian()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for pid in self._leaders:
                kill_group(pid)
            os.close(self._pipe)
            self._pipe = -1
        if self._guardian is not None:
            self._guardian.wait(_GUARDIAN_ENDS_S + UNDO_TIMEOUT_S * len(self._undo))

    def spawn(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path
    ) -> Child:
        """Run a command from the project's root, its output appended to `log`."""
        gate_out, gate_in = os.pipe()
        try:
            with log.open("ab") as output:
                popen = subprocess.Popen(  # noqa: S603  # commands are the lab's own
                    ["/bin/sh", "-c", _GATE, "sh", *command],
                    cwd=ROOT,
                    env=dict(env),
                    stdin=gate_out,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
            started = start_time(popen.pid)
            if started is not None:
                self._record(popen.pid, started)
                os.write(gate_in, b"go\n")
        finally:
            os.close(gate_out)
            os.close(gate_in)
        return Child(name, popen, started or 0.0, now_unix_ms(), log)

    def end(self, child: Child, *, grace_s: float) -> int:
        """SIGTERM the child, SIGKILL its whole group after `grace_s`; return its exit code.

        Only the leader is asked: what it started is its own to end, or dies with the group.
        """
        if grace_s > 0:
            child.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.popen.wait(grace_s)
        kill_group(child.pid)
        code = child.popen.wait(10)
        self._forget(child.pid)
        return code

    def undo_at_end(self, command: list[str]) -> None:
        """Have the guardian run a command line when the lab is gone, until it is forgotten."""
        with self._lock:
            self._undo.append(command)
            self._tell({"undo": command})

    def forget_undo(self, command: list[str]) -> None:
        """Forget a command line: it was run, or there is nothing to undo."""
        with self._lock:
            self._undo.remove(command)
            self._tell({"undone": command})

    def ensure_guarded(self) -> None:
        """Start the guardian again, with all that it has to know, when it was killed."""
        with self._lock:
            if self._guardian is not None and self._guardian.poll() is None:
                return
            os.close(self._pipe)
            self._start_guardian()

    def _start_guardian(self) -> None:
        read_end, self._pipe = os.pipe()
        try:
            with self._lock:
                # Before it starts: no moment in which it is there and knows of nothing. What a lab
                # has to tell is a small part of what a pipe holds.
                for pid, started in self._leaders.items():
                    self._tell({"pid": pid, "started": started})
                for command in self._undo:
                    self._tell({"undo": command})
                self._guardian = subprocess.Popen(  # noqa: S603  # the lab's own module
                    [sys.executable, "-m", "lab.guardian", str(read_end)],
                    pass_fds=(read_end,),
                    stdin=subprocess.DEVNULL,
                    cwd=ROOT,
                    start_new_session=True,
                )
        finally:
            os.close(read_end)

    def _record(self, pid: int, started: float) -> None:
        with self._lock:
            self._leaders[pid] = started
            self._tell({"pid": pid, "started": started})

    def _forget(self, pid: int) -> None:
        with self._lock:
            self._leaders.pop(pid, None)
            self._tell({"pid": pid})

    def _tell(self, entry: Mapping[str, object]) -> None:
        try:
            os.write(self._pipe, json.dumps(entry).encode() + b"\n")
        except BrokenPipeError:
            # ensure_guarded() notices and starts another one.
            return
