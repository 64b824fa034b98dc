"""The process between a test and its sidecar: imports once, forks, and does what it is told.

It reads commands from standard input, one a line, and answers each on standard output. So a killed
sidecar is back in milliseconds, while scheduler and state live on. Whatever becomes of the test,
its end of the pipe closes, and with this process go its children.
"""

import gc
import json
import os
import select
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

from serving.logs import configure_logs
from sidecar.testing import programs
from sidecar.testing.errors import HostError
from sidecar.testing.life import Child, Nursery
from sidecar.testing.options import Options
from sidecar.testing.ports import ReservedPort

_LOOK_S = 1.0


class Host:
    """A scheduler and the sidecar beside it."""

    def __init__(self, options: Options, directory: Path, nursery: Nursery) -> None:
        self._options = options
        self.directory = directory
        self._nursery = nursery
        self._ports = [ReservedPort() for _ in range(4)]
        self._sidecar: Child | None = None
        self._scheduler = self._start_scheduler()

    def ports(self) -> dict[str, int]:
        """Return the ports by name."""
        names = ("grpc_port", "http_port", "scheduler_port", "scheduler_http_port")
        return dict(zip(names, (each.number for each in self._ports), strict=True))

    def start(self) -> None:
        """Start the sidecar; it is ready but for an app when this returns."""
        ports = self.ports()
        program = partial(
            programs.sidecar,
            self._options,
            self.directory,
            (ports["grpc_port"], ports["http_port"]),
            ports["scheduler_port"],
        )
        self._sidecar = self._nursery.start("sidecar", program)

    def kill(self) -> None:
        """SIGKILL the sidecar."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM the sidecar, and wait for its end."""
        self._end(signal.SIGTERM)

    def restart_scheduler(self) -> None:
        """SIGKILL the scheduler, and start it on the same jobs."""
        self._scheduler.end(signal.SIGKILL)
        self._scheduler = self._start_scheduler()

    def close(self) -> None:
        """End both."""
        for each in (self._sidecar, self._scheduler):
            if each is not None:
                each.end(signal.SIGKILL)

    def _start_scheduler(self) -> Child:
        ports = self.ports()
        program = partial(
            programs.scheduler,
            self._options,
            self.directory,
            ports["scheduler_port"],
            ports["scheduler_http_port"],
        )
        return self._nursery.start("scheduler", program)

    def _end(self, signal_number: int) -> None:
        sidecar, self._sidecar = self._sidecar, None
        if sidecar is None or not sidecar.running:
            raise HostError("the sidecar had ended by itself")
        sidecar.end(signal_number)


_COMMANDS: dict[str, Callable[[Host], None]] = {
    "start": Host.start,
    "kill": Host.kill,
    "stop": Host.stop,
    "restart_scheduler": Host.restart_scheduler,
}


def main() -> NoReturn:
    """Serve one test: its first line has options and directory, each further one is a command."""
    # Ctrl-C is for the test, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logs()
    # The children share what is imported, and collect what they make.
    gc.freeze()
    gc.enable()
    # What anything prints must not be taken for an answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    nursery = Nursery()
    nursery.keep_from_children(answers)
    host: Host | None = None
    for line in _lines():
        try:
            if host is None:
                options, directory = json.loads(line)
                host = Host(Options.from_json(options), Path(directory), nursery)
                host.start()
            else:
                _COMMANDS[line](host)
            answer: dict[str, object] = {"ports": host.ports()}
        except HostError as error:
            answer = {"error": str(error)}
        os.write(answers, json.dumps(answer).encode() + b"\n")
    if host is not None:
        host.close()
        # A test that was killed can't.
        shutil.rmtree(host.directory, ignore_errors=True)
    # The test waits for this; there is nothing to be torn down.
    os._exit(0)


def _lines() -> Iterator[str]:
    """Yield lines until the test closes its end, or has gone and left it open in a child of its."""
    parent, waiting = os.getppid(), b""
    while os.getppid() == parent:
        if not select.select([0], [], [], _LOOK_S)[0]:
            continue
        received = os.read(0, 65_536)
        if not received:
            return
        *lines, waiting = (waiting + received).split(b"\n")
        yield from (each.decode() for each in lines)
