"""The test's end of the pipe to the process that hosts its sidecar."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import sidecar
from sidecar.testing.errors import HostError, UsageError

_ROOT = Path(sidecar.__file__).resolve().parents[1]
# Appends, so that nothing of the checkout hides a module of the test's environment. Nothing that is
# imported becomes garbage: not to look for it saves a seventh of the start.
_PROGRAM = (
    "import gc, sys; gc.disable(); sys.path.append(sys.argv[1]); "
    "from sidecar.testing.host import main; main()"
)
_OWN_SETTINGS = ("SIDECAR_", "SCHEDULER_")
_LONGEST_END_S = 10.0


class HostProcess:
    """One host.

    Args:
        log_path: Gets what it and its children write on standard error.
    """

    def __init__(self, log_path: Path) -> None:
        if not hasattr(os, "fork"):
            raise UsageError("sidecar.testing needs an operating system with fork: Linux or macOS")
        self._lock = threading.Lock()
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very Python
                [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(),
                # Signals of the terminal are for the test alone.
                start_new_session=True,
            )

    def ask(self, line: str) -> dict[str, int]:
        """Send a line, and wait for its answer: the ports by name.

        Raises:
            HostError: it could not be done, or the host has ended.
        """
        with self._lock:
            answer = self._exchange(line)
        if not answer:
            raise HostError("the process beside the test has ended")
        told = json.loads(answer)
        if "error" in told:
            raise HostError(told["error"])
        ports: dict[str, int] = told["ports"]
        return ports

    def close(self) -> None:
        """End it with all its children; a second time does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _exchange(self, line: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return ""
        try:
            stdin.write(line + "\n")
            stdin.flush()
            return stdout.readline()
        except (OSError, ValueError):
            return ""


def _environment() -> dict[str, str]:
    """Return the test's environment, without settings that are for other sidecars."""
    return {name: text for name, text in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
