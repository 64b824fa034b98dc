"""A running stack: starts its services when what they need is ready, and notices a death."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lab.clock import now_unix_ms
from lab.errors import ServiceFailedError
from lab.processes import Child, Nursery, tail_of
from lab.runtimes.base import Runtime
from lab.services import READY_TIMEOUT_S, ServiceSpec
from lab.stack_config import StackConfig
from lab.waiting import Waiter

ServiceState = Literal["waiting", "starting", "running", "down", "dead"]

_SETTING_PREFIXES = (
    *(
        "FAKE_LLM_",
        "BUDGET_",
        "WORKFLOW_APP_",
        "SIDECAR_",
        "SCHEDULER_",
        "LOCUST_",
        "LOADGEN_",
        "DAPR_",
    ),
    "STATE_REDIS_",
)
_READY_MARGIN_S = 10
RESTART_TIMEOUT_S = READY_TIMEOUT_S + _READY_MARGIN_S
_STOP_GRACE_S = 2.5
_STORE_NAMES = ("state_redis", "budget_redis")


def base_environment(config: StackConfig, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that every service of a stack gets: loopback past any proxy."""
    kept = {
        key: value
        for key, value in environ.items()
        if config.inherit_settings or not key.startswith(_SETTING_PREFIXES)
    }
    loopback = "127.0.0.1,localhost"
    return {**kept, "NO_PROXY": loopback, "no_proxy": loopback, "PYTHONUNBUFFERED": "1"}


@dataclass(slots=True)
class Stack:
    """The services of one configuration, as processes.

    Attributes:
        on_change: called after each change of a service's process or state.
    """

    config: StackConfig
    runtime: Runtime
    nursery: Nursery
    on_change: Callable[[], None] = lambda: None
    specs: dict[str, ServiceSpec] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    states: dict[str, ServiceState] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self, waiter: Waiter) -> None:
        """Start everything and wait until all of it is ready.

        Raises:
            ServiceFailedError: naming the first that failed, with its last log lines.
        """
        self.config.logs.mkdir(parents=True, exist_ok=True)
        self.specs = {spec.name: spec for spec in self.runtime.services(self.config)}
        self.states = dict.fromkeys(self.specs, "waiting")
        while pending := [n for n, state in self.states.items() if state != "running"]:
            self._start_what_can()
            starting = [name for name in pending if self.states[name] == "starting"]
            self._await_one_of(starting, waiter)

    def restart(self, name: str, waiter: Waiter) -> None:
        """Start one service that is down and wait until it is ready."""
        self._spawn(self.specs[name])
        self._await_one_of([name], waiter)

    def kill(self, name: str) -> None:
        """SIGKILL one service on purpose; it counts as down, not as dead."""
        with self._lock:
            self.states[name] = "down"
            self.nursery.end(self.children.pop(name), grace_s=0)
        self.on_change()

    def stop(self) -> None:
        """End everything: the services first, the stores after them."""
        with self._lock:
            stores = [name for name in self.children if name in _STORE_NAMES]
            others = [name for name in self.children if name not in _STORE_NAMES]
            for wave in (others, stores):
                self._stop_all(wave)
        self.on_change()

    def alive(self) -> None:
        """Raise `ServiceFailedError` when a service ended that should run."""
        self.nursery.ensure_guarded()
        with self._lock:
            for name, child in self.children.items():
                code = child.exit_code()
                if code is not None:
                    self.states[name] = "dead"
                    raise self._failure(name, f"ended by itself ({describe_exit(code)})")

    def environment(self) -> dict[str, str]:
        """Return the environment of the services, without their own settings."""
        return base_environment(self.config, os.environ)

    def _start_what_can(self) -> None:
        ready = {name for name, state in self.states.items() if state == "running"}
        for name, spec in self.specs.items():
            if self.states[name] == "waiting" and ready.issuperset(spec.needs):
                self._spawn(spec)

    def _spawn(self, spec: ServiceSpec) -> None:
        with self._lock:
            self.children[spec.name] = self.nursery.spawn(
                spec.name,
                spec.command,
                env={**self.environment(), **spec.env},
                log=self.config.logs / f"{spec.name}.log",
            )
            self.states[spec.name] = "starting"
        self.on_change()

    def _await_one_of(self, names: list[str], waiter: Waiter) -> None:
        def any_ready() -> bool:
            self.alive()
            ready = [name for name in names if self.specs[name].ready()]
            for name in ready:
                self.states[name] = "running"
            for name in names:
                self._require_in_time(name)
            return bool(ready)

        # Each service's own deadline ends the wait before this one does.
        longest_s = max(self.specs[name].ready_timeout_s for name in names)
        what = f"{', '.join(names)} to be ready"
        waiter.until(any_ready, what, timeout_s=longest_s + _READY_MARGIN_S)
        self.on_change()

    def _require_in_time(self, name: str) -> None:
        timeout_s = self.specs[name].ready_timeout_s
        waited_s = (now_unix_ms() - self.children[name].started_unix_ms) / 1000
        if self.states[name] != "running" and waited_s > timeout_s:
            raise self._failure(name, f"was not ready within {timeout_s:g} s")

    def _stop_all(self, names: list[str]) -> None:
        for name in names:
            self.states[name] = "down"
        children = [self.children.pop(name) for name in names]
        for child in children:
            child.popen.terminate()
        deadline = time.monotonic() + _STOP_GRACE_S
        for child in children:
            self.nursery.end(child, grace_s=max(0.0, deadline - time.monotonic()))

    def _failure(self, name: str, reason: str) -> ServiceFailedError:
        return ServiceFailedError(name, reason, tail_of(self.config.logs / f"{name}.log"))


def describe_exit(code: int) -> str:
    """Say how a process ended, in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
