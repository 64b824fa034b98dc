"""Keeps one stack up until it is told to stop, and serves the control API meanwhile.

`python -m lab.supervisor <config.json> <fd>` is the background form: it writes one JSON line a
step to the pipe `fd`, the last one `{"ready": true}` or `{"error": …}`, and stops when nobody
reads it before it is ready.
"""

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from lab.components import read_ttl_s
from lab.control import ControlServer
from lab.disruptions import DISRUPTIONS, DisruptionRecord
from lab.errors import CannotRunError, LabError, PortTakenError, StackRunningError
from lab.guardian import start_time
from lab.ports import require_free
from lab.processes import Nursery
from lab.runtimes import Runtime, make_runtime
from lab.stack import Stack
from lab.stack_config import StackConfig
from lab.state_file import (
    ProcessRecord,
    StackState,
    exclusive,
    note_end,
    read_state,
    remove_state,
    write_state,
)
from lab.waiting import Waiter


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT, SIGTERM and SIGHUP set; a second one ends the program at once."""
    stopped = threading.Event()

    def handle(number: int, _: FrameType | None) -> None:
        if stopped.is_set():
            # The guardian ends what is left.
            os._exit(128 + number)
        stopped.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stopped
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@dataclass(slots=True)
class Supervisor:
    """One stack with its state file and control API.

    Attributes:
        runtime_label: what the engine calls itself, once it has been asked.
    """

    stack: Stack
    waiter: Waiter
    runtime_label: str | None = None
    _disrupting: threading.Lock = field(default_factory=threading.Lock)

    def state(self) -> StackState:
        """Return what runs at the moment."""
        pid = os.getpid()
        supervisor = ProcessRecord(pid=pid, started=start_time(pid) or 0.0)
        return StackState(
            supervisor=supervisor,
            config=self.stack.config,
            services=self.stack.records(),
            runtime=self.runtime_label,
        )

    def save(self) -> None:
        """Write the state file."""
        write_state(self.stack.config.directory, self.state())

    def disrupt(self, kind: str) -> DisruptionRecord | None:
        """Apply a disruption; None when another one is still going on."""
        if not self._disrupting.acquire(blocking=False):
            return None
        try:
            ttl_s = read_ttl_s(self.stack.config.components)
            return DISRUPTIONS[kind].apply(self.stack, self.waiter, ttl_s=ttl_s)
        finally:
            self._disrupting.release()


def _require_free(config: StackConfig, runtime: Runtime) -> None:
    try:
        require_free(config.ports, runtime.ports)
    except PortTakenError as error:
        if read_state(config.directory) is None:
            raise
        left = "a stack that crashed has left services behind; `runaway down` ends them"
        raise PortTakenError(f"{left}\n{error}") from error


def supervise(
    config: StackConfig,
    runtime: Runtime,
    stopped: threading.Event,
    *,
    say: Callable[[str], None],
    on_ready: Callable[[StackState], None],
) -> None:
    """Run a stack until `stopped` is set or a service dies; nothing of it is left afterwards.

    Raises:
        StackRunningError: another one runs.
        ServiceFailedError: a service failed to start, or died.
    """
    with exclusive(config.directory) as held:
        if not held:
            raise StackRunningError(describe_running(config.directory))
        _require_free(config, runtime)
        fresh_folders(config.directory)
        with Nursery() as nursery:
            stack = runtime.stack(config, nursery)
            supervisor = Supervisor(stack, Waiter(stopped, stack.alive, say))
            stack.notify(supervisor.save)
            try:
                _run(supervisor, on_ready)
            except CannotRunError as error:
                note_end(config.directory, str(error))
                raise
            finally:
                stack.stop()
                remove_state(config.directory)


def _run(supervisor: Supervisor, on_ready: Callable[[StackState], None]) -> None:
    stack, waiter = supervisor.stack, supervisor.waiter
    stack.start(waiter)
    supervisor.runtime_label = stack.label()
    supervisor.save()
    with ControlServer(stack.config.ports.control, supervisor):
        on_ready(supervisor.state())
        while not waiter.stopped.wait(0.2):
            stack.alive()


def describe_running(directory: Path) -> str:
    """Say what runs there, as its supervisor wrote it down."""
    state = read_state(directory)
    if state is None:
        return "a stack is being started by another runaway; `runaway down` ends it"
    lines = [f"  {s.name:<13} {s.address}  pid {s.pid or '-'}" for s in state.services]
    head = f"a stack runs already (supervisor pid {state.supervisor.pid}):"
    return "\n".join([head, *lines, "use it (`runaway status`), or end it with `runaway down`"])


def fresh_folders(directory: Path) -> None:
    """Empty the data and logs of the stack before, and nothing else."""
    note_end(directory, None)
    for name in ("data", "logs"):
        shutil.rmtree(directory / name, ignore_errors=True)
        (directory / name).mkdir(parents=True)


def main() -> None:
    """Run in the background for `runaway up --detach`."""
    config = StackConfig.model_validate_json(Path(sys.argv[1]).read_text())
    report = int(sys.argv[2])

    with stop_on_signals() as stopped:
        listened = True

        def tell(entry: dict[str, object]) -> None:
            if not listened:
                return
            try:
                os.write(report, json.dumps(entry).encode() + b"\n")
            except BrokenPipeError:
                # The one who asked for this stack is gone and will never learn of it.
                stopped.set()

        def ready(state: StackState) -> None:
            nonlocal listened
            tell({"ready": True, "state": state.model_dump(mode="json")})
            listened = False
            os.close(report)

        try:
            runtime = make_runtime(config.runtime, config.dapr_bin)
            supervise(config, runtime, stopped, say=lambda t: tell({"say": t}), on_ready=ready)
        except LabError as error:
            tell({"error": str(error)})
            sys.exit(2)


if __name__ == "__main__":
    main()
