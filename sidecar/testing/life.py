"""Forks the processes beside a test, and sees to it that none outlives the one that forked it.

A child holds the read end of a pipe whose write end only the parent has: however the parent ends,
the pipe does too, and the child with it.
"""

import asyncio
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable

import uvloop

from sidecar.testing.errors import HostError

_LONGEST_START_S = 30.0
_LONGEST_END_S = 10.0
_LOOK_S = 0.002
_READY = b"ready"
Program = Callable[[Callable[[], None]], Awaitable[None]]


class Nursery:
    """Forks children; must itself have one thread, and no gRPC object."""

    def __init__(self) -> None:
        self._life_read, self._life_write = os.pipe()
        self._private: list[int] = [self._life_write]

    def keep_from_children(self, *descriptors: int) -> None:
        """Name descriptors of the parent that children close at once."""
        self._private += descriptors

    def start(self, name: str, program: Program) -> "Child":
        """Fork a child that runs `program`; return when it has called what it was given.

        Raises:
            HostError: it ended instead, or took too long.
        """
        ready_read, ready_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._live([ready_read, *self._private], ready_write, program)
        os.close(ready_write)
        child = Child(name, pid)
        try:
            child.await_ready(ready_read)
        finally:
            os.close(ready_read)
        return child

    def _live(self, foreign: list[int], ready_write: int, program: Program) -> None:
        """Be the child; never returns."""
        code = 1
        try:
            for each in foreign:
                os.close(each)
            # The parent's standard input is its own; what is opened next must not take its number.
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            uvloop.run(self._run(ready_write, program))
            code = 0
        except BaseException:  # noqa: BLE001 - it ends the child, and the log says why
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            # Nothing of the parent's stack, such as its exit handlers, is for the child.
            os._exit(code)

    async def _run(self, ready_write: int, program: Program) -> None:
        asyncio.get_running_loop().add_reader(self._life_read, os._exit, 0)
        await program(lambda: _tell(ready_write))


class Child:
    """A forked process."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self._pid = pid
        self._ended = False

    @property
    def running(self) -> bool:
        """Tell whether it has not ended."""
        if not self._ended:
            self._ended = os.waitpid(self._pid, os.WNOHANG)[0] != 0
        return not self._ended

    def end(self, signal_number: int, patience_s: float = _LONGEST_END_S) -> None:
        """Send a signal that ends it, and wait until it is gone.

        Raises:
            HostError: it had to be killed, as it had not ended in time.
        """
        if not self.running:
            return
        os.kill(self._pid, signal_number)
        deadline = time.monotonic() + patience_s
        while self.running:
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                self._ended = True
                raise HostError(
                    f"the {self.name} had not ended in {patience_s:g} s, and was killed"
                )
            time.sleep(_LOOK_S)

    def await_ready(self, ready_read: int) -> None:
        """Wait for its word that it is ready."""
        readable, _, _ = select.select([ready_read], [], [], _LONGEST_START_S)
        if readable and os.read(ready_read, len(_READY)):
            return
        reason = "ended at its start" if readable else f"was not ready in {_LONGEST_START_S:g} s"
        self.end(signal.SIGKILL)
        raise HostError(f"the {self.name} {reason}")


def _tell(ready_write: int) -> None:
    os.write(ready_write, _READY)
    os.close(ready_write)
