"""A stack of processes: starts each when what it needs is ready, and notices a death."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab.clock import now_unix_ms
from lab.errors import ServiceFailedError
from lab.processes import Child, Nursery, tail_of
from lab.runtimes.engine import engine_label
from lab.services import ServiceSpec
from lab.stack import READY_MARGIN_S, ServiceState, base_environment
from lab.stack_config import StackConfig
from lab.state_file import ServiceRecord
from lab.waiting import Waiter

_STOP_GRACE_S = 2.5
_STORE_NAMES = ("state_redis", "budget_redis")


@dataclass(slots=True)
class ProcessStack:
    """The services of one configuration, as processes.

    Attributes:
        services: in the order in which they are started and shown.
        ask_engine: tells what runs.
    """

    config: StackConfig
    services: Sequence[ServiceSpec]
    nursery: Nursery
    ask_engine: Callable[[StackConfig], str] = engine_label
    _specs: dict[str, ServiceSpec] = field(init=False)
    _children: dict[str, Child] = field(default_factory=dict)
    _states: dict[str, ServiceState] = field(init=False)
    _changed: Callable[[], None] = field(default=lambda: None)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._specs = {spec.name: spec for spec in self.services}
        self._states = dict.fromkeys(self._specs, "waiting")

    def notify(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of a service from now on."""
        self._changed = listener

    def start(self, waiter: Waiter) -> None:
        """Start everything and wait until all of it is ready.

        Raises:
            ServiceFailedError: naming the first that failed, with its last log lines.
        """
        self.config.logs.mkdir(parents=True, exist_ok=True)
        while pending := [n for n, state in self._states.items() if state != "running"]:
            self._start_what_can()
            starting = [name for name in pending if self._states[name] == "starting"]
            self._await_one_of(starting, waiter)

    def restart(self, name: str, waiter: Waiter) -> None:
        """Start one service that is down and wait until it is ready."""
        self._spawn(self._specs[name])
        self._await_one_of([name], waiter)

    def kill(self, name: str) -> int:
        """SIGKILL one service on purpose; it counts as down, not as dead."""
        with self._lock:
            self._states[name] = "down"
            killed = now_unix_ms()
            self.nursery.end(self._children.pop(name), grace_s=0)
        self._changed()
        return killed

    def stop(self) -> None:
        """End everything: the services first, the stores after them."""
        with self._lock:
            stores = [name for name in self._children if name in _STORE_NAMES]
            others = [name for name in self._children if name not in _STORE_NAMES]
            for wave in (others, stores):
                self._stop_all(wave)
        self._changed()

    def alive(self) -> None:
        """Raise `ServiceFailedError` when a service ended that should run."""
        self.nursery.ensure_guarded()
        with self._lock:
            for name, child in self._children.items():
                code = child.exit_code()
                if code is not None:
                    self._states[name] = "dead"
                    raise self._failure(name, f"ended by itself ({describe_exit(code)})")

    def environment(self) -> dict[str, str]:
        """Return the environment of the services, without their own settings."""
        return base_environment(self.config, os.environ)

    def label(self) -> str:
        """Return what runs, as the engine itself reports it."""
        return self.ask_engine(self.config)

    def records(self) -> tuple[ServiceRecord, ...]:
        """Return the services as they are at the moment."""
        return tuple(map(self._record, self.services))

    def _record(self, spec: ServiceSpec) -> ServiceRecord:
        child = self._children.get(spec.name)
        return ServiceRecord(
            name=spec.name,
            pid=child.pid if child else None,
            started=child.started if child else None,
            state=self._states[spec.name],
            address=spec.address,
            log=str(self.config.logs / f"{spec.name}.log"),
            health_url=spec.ready.health_url,
        )

    def _start_what_can(self) -> None:
        ready = {name for name, state in self._states.items() if state == "running"}
        for name, spec in self._specs.items():
            if self._states[name] == "waiting" and ready.issuperset(spec.needs):
                self._spawn(spec)

    def _spawn(self, spec: ServiceSpec) -> None:
        with self._lock:
            self._children[spec.name] = self.nursery.spawn(
                spec.name,
                spec.command,
                env={**self.environment(), **spec.env},
                log=self.config.logs / f"{spec.name}.log",
            )
            self._states[spec.name] = "starting"
        self._changed()

    def _await_one_of(self, names: list[str], waiter: Waiter) -> None:
        def any_ready() -> bool:
            self.alive()
            ready = [name for name in names if self._specs[name].ready()]
            for name in ready:
                self._states[name] = "running"
            for name in names:
                self._require_in_time(name)
            return bool(ready)

        # Each service's own deadline ends the wait before this one does.
        longest_s = max(self._specs[name].ready_timeout_s for name in names)
        what = f"{', '.join(names)} to be ready"
        waiter.until(any_ready, what, timeout_s=longest_s + READY_MARGIN_S)
        self._changed()

    def _require_in_time(self, name: str) -> None:
        timeout_s = self._specs[name].ready_timeout_s
        waited_s = (now_unix_ms() - self._children[name].started_unix_ms) / 1000
        if self._states[name] != "running" and waited_s > timeout_s:
            raise self._failure(name, f"was not ready within {timeout_s:g} s")

    def _stop_all(self, names: list[str]) -> None:
        for name in names:
            self._states[name] = "down"
        children = [self._children.pop(name) for name in names]
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
