"""What `up --detach`, `down`, `status` and `disrupt` do to the supervisor of a stack."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lab.components import read_ttl_s
from lab.disruptions import DISRUPTIONS
from lab.errors import CannotRunError, NoStackError, StoppedError
from lab.guardian import is_same, kill_recorded
from lab.paths import ROOT
from lab.runtimes.compose import clear_leftovers
from lab.services import HttpReady
from lab.stack_config import StackConfig
from lab.state_file import ServiceRecord, StackState, is_locked, read_end, read_state, remove_state

_DOWN_GRACE_S = 8.0
# Their logs are kept first, one client start each.
_CONTAINERS_DOWN_GRACE_S = 60.0
# Killing, scanning and answering, beside what a disruption waits for.
_DISRUPT_MARGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class DownReport:
    """What `down` found and ended.

    Attributes:
        stopped: a supervisor was running.
        leftovers: pids of services that a crash had left behind, ended too.
        project: name of the containers' project that a crash had left behind, ended too.
    """

    stopped: bool
    leftovers: tuple[int, ...] = ()
    project: str | None = None


def start_detached(config: StackConfig, say: Callable[[str], None]) -> StackState:
    """Start a supervisor in the background and wait until its stack is ready.

    Raises:
        CannotRunError: with the reason that the supervisor gave.
    """
    config.directory.mkdir(parents=True, exist_ok=True)
    request = config.directory / "up.json"
    request.write_text(config.model_dump_json(indent=1))
    read_end, write_end = os.pipe()
    with (config.directory / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # the lab's own module
            [sys.executable, "-m", "lab.supervisor", str(request), str(write_end)],
            pass_fds=(write_end,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        try:
            for line in pipe:
                entry = json.loads(line)
                if "state" in entry:
                    return StackState.model_validate(entry["state"])
                if "error" in entry:
                    raise CannotRunError(str(entry["error"]))
                say(str(entry["say"]))
        except KeyboardInterrupt:
            process.terminate()
            process.wait(10)
            raise StoppedError("stopped") from None
    log_text = (config.directory / "supervisor.log").read_text(errors="replace")
    raise CannotRunError(f"the supervisor ended early:\n{log_text[-2000:]}")


def take_down(directory: Path) -> DownReport:
    """End the stack and whatever a crash left of it; do nothing when nothing runs."""
    state = read_state(directory)
    stopped = is_locked(directory)
    if stopped:
        _end_supervisor(directory)
        state = read_state(directory) or state
    leftovers: list[int] = []
    project: str | None = None
    if state is not None:
        recorded = state.leaders()
        leftovers = kill_recorded(recorded, orphans=False)
        _await(lambda: not any(is_same(p, s) for p, s in recorded.items()), _DOWN_GRACE_S)
        if state.config.runtime == "compose":
            project = clear_leftovers(state.config)
    remove_state(directory)
    return DownReport(stopped) if stopped else DownReport(stopped, tuple(leftovers), project)


def _end_supervisor(directory: Path) -> None:
    # A supervisor that is only just starting writes its state within moments.
    _await(lambda: read_state(directory) is not None or not is_locked(directory), 2.0)
    state = read_state(directory)
    if state is None:
        raise CannotRunError("a stack is being started or stopped; try again in a moment")
    supervisor = state.supervisor
    in_containers = state.config.runtime == "compose"
    grace_s = _CONTAINERS_DOWN_GRACE_S if in_containers else _DOWN_GRACE_S
    for number in (signal.SIGTERM, signal.SIGKILL):
        if is_same(supervisor.pid, supervisor.started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor.pid, number)
        if _await(lambda: not is_locked(directory), grace_s):
            return
    raise CannotRunError(f"the supervisor (pid {supervisor.pid}) does not end")


def _await(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def require_stack(directory: Path) -> StackState:
    """Return what runs.

    Raises:
        NoStackError: nothing does, or only the remains of a crash.
    """
    state = read_state(directory)
    if is_locked(directory):
        if state is None:
            raise NoStackError("the stack is still starting or already ending")
        return state
    if state is not None:
        raise NoStackError(
            f"the supervisor (pid {state.supervisor.pid}) of the stack is gone; "
            "`runaway down` clears what it left"
        )
    ended = read_end(directory)
    because = f"; the last one ended by itself: {ended}" if ended else ""
    raise NoStackError(f"no stack runs; start one with `runaway up`{because}")


def stack_status(state: StackState) -> dict[str, Any]:
    """Return what runs, whether each part answers, and what was spent so far."""
    ports = state.config
    services = []
    for service in state.services:
        healthy = _lives(service) and (
            service.health_url is None or HttpReady(service.health_url)()
        )
        shown = service.model_dump(exclude={"started", "health_url"})
        services.append({**shown, "healthy": healthy})
    return {
        "runtime": state.runtime,
        "supervisor_pid": state.supervisor.pid,
        "control": ports.url("control"),
        "services": services,
        "spend": _spend(ports),
    }


def _lives(service: ServiceRecord) -> bool:
    if service.pid is None or service.started is None:
        # Of a container the lab knows what its supervisor sees.
        return service.state == "running"
    return is_same(service.pid, service.started)


def _spend(config: StackConfig) -> dict[str, Any] | None:
    try:
        answer = httpx.get(f"{config.url('fake_llm')}/spend", timeout=5, trust_env=False)
        body = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None
    return {key: body.get(key) for key in ("usd", "nano_usd", "calls", "duplicate_calls")}


def patience_s(config: StackConfig, kind: str) -> float:
    """Return how long to wait for a disruption: longer than it may take by its own deadlines."""
    return DISRUPTIONS[kind].longest_s(read_ttl_s(config.components)) + _DISRUPT_MARGIN_S


def disrupt_running(state: StackState, kind: str) -> dict[str, Any]:
    """Ask the control API for a disruption and wait until it is over.

    Raises:
        CannotRunError: with the reason that the API gave.
    """
    url = f"{state.config.url('control')}/disrupt"
    timeout = httpx.Timeout(5, read=patience_s(state.config, kind))
    try:
        answer = httpx.post(url, json={"kind": kind}, timeout=timeout, trust_env=False)
        body: dict[str, Any] = answer.json()
    except (httpx.TransportError, ValueError) as error:
        raise CannotRunError(f"the control API at {url} does not answer: {error!r}") from error
    if answer.is_error:
        raise CannotRunError(str(body["error"]["message"]))
    return body
