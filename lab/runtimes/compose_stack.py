"""A stack of containers: one compose project, gone when the stack is, however the lab ends."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab.clock import now_unix_ms
from lab.errors import DockerError, ServiceFailedError
from lab.processes import Child, Nursery, tail_of
from lab.runtimes.docker_compose import ComposeProject
from lab.runtimes.engine import engine_label
from lab.services import READY_TIMEOUT_S, Ready
from lab.stack import READY_MARGIN_S, ServiceState, base_environment
from lab.stack_config import StackConfig
from lab.state_file import ServiceRecord
from lab.waiting import Waiter

_UP_TIMEOUT_S = 180
# Each look costs the machine a start of the client.
_LOOK_EACH_S = 5.0
_UP_LOG = "compose-up.log"


@dataclass(frozen=True, slots=True)
class ContainerService:
    """One service of a project.

    Attributes:
        name: what the lab calls it.
        service: what docker-compose.yml calls it.
        ready: whether it can be used; None: nobody outside can ask it.
    """

    name: str
    service: str
    address: str
    ready: Ready | None = None


@dataclass(slots=True)
class ComposeStack:
    """The services of one configuration, as containers of one project."""

    config: StackConfig
    services: Sequence[ContainerService]
    project: ComposeProject
    nursery: Nursery
    _changed: Callable[[], None] = field(default=lambda: None)
    _services: dict[str, ContainerService] = field(init=False)
    _states: dict[str, ServiceState] = field(init=False)
    _up: Child | None = None
    _begun: bool = False
    _looked: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._services = {each.name: each for each in self.services}
        self._states = dict.fromkeys(self._services, "waiting")

    def notify(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of a service from now on."""
        self._changed = listener

    def start(self, waiter: Waiter) -> None:
        """Start everything and wait until all of it is ready.

        Raises:
            ServiceFailedError: `docker compose up` failed, or a service never became ready.
        """
        self.config.logs.mkdir(parents=True, exist_ok=True)
        self._begin()
        up = self._up
        if up is not None:
            waiter.until(
                lambda: up.exit_code() is not None,
                "docker compose to bring all services up",
                timeout_s=_UP_TIMEOUT_S + READY_MARGIN_S,
            )
        self._end_up()
        for name in self._services:
            self._await_ready(name, waiter)

    def restart(self, name: str, waiter: Waiter) -> None:
        """Start one service that is down and wait until it is ready."""
        self._set(name, "starting")
        self.project.ask("start", self._services[name].service)
        self._await_ready(name, waiter)

    def kill(self, name: str) -> int:
        """SIGKILL one service on purpose; it counts as down, not as dead."""
        service = self._services[name].service
        with self._lock:
            self._set(name, "down")
            before = now_unix_ms()
            self.project.ask("kill", service)
            after = now_unix_ms()
        ended = self.project.ended_unix_ms(service)
        # An engine in a virtual machine has a clock of its own.
        return before if ended is None else min(max(ended, before), after)

    def stop(self) -> None:
        """Keep the logs and end everything: containers, network, volumes.

        Raises:
            DockerError: something may be left; the text names the project.
            OSError: a log can't be kept; nothing is left all the same.
        """
        with self._lock:
            if not self._begun:
                return
            for name in self._services:
                self._states[name] = "down"
            try:
                if self._up is not None:
                    self.nursery.end(self._up, grace_s=1)
                for each in self.services:
                    self._keep_log(each)
            finally:
                self._take_down()
        self._changed()

    def alive(self) -> None:
        """Raise `ServiceFailedError` when a service ended that should run; look now and then."""
        self.nursery.ensure_guarded()
        with self._lock:
            running = [name for name, state in self._states.items() if state == "running"]
            if not running or time.monotonic() < self._looked + _LOOK_EACH_S:
                return
            containers = self.project.containers()
            self._looked = time.monotonic()
            for name in running:
                found = containers.get(self._services[name].service)
                if found is None or found.state != "running":
                    self._states[name] = "dead"
                    code = f" (exit code {found.exit_code})" if found else ""
                    raise self._failure(name, f"ended by itself{code}")

    def environment(self) -> dict[str, str]:
        """Return the environment for a program that works on this stack."""
        return base_environment(self.config, os.environ)

    def label(self) -> str:
        """Return what runs, as the engine itself reports it."""
        return engine_label(self.config)

    def records(self) -> tuple[ServiceRecord, ...]:
        """Return the services as they are at the moment."""
        return tuple(
            ServiceRecord(
                name=each.name,
                pid=None,
                started=None,
                state=self._states[each.name],
                address=each.address,
                log=f"docker compose -p {self.project.name} logs {each.service}",
                health_url=each.ready.health_url if each.ready else None,
            )
            for each in self.services
        )

    def _begin(self) -> None:
        with self._lock:
            # Before anything exists, so that nothing can be left.
            self.nursery.undo_at_end(self.project.down_command())
            self._begun = True
            self._states = dict.fromkeys(self._services, "starting")
            command = self.project.command(
                *("up", "--detach", "--wait", "--wait-timeout", str(_UP_TIMEOUT_S)),
                *("--no-build", "--pull", "never"),
            )
            log = self.config.logs / _UP_LOG
            self._up = self.nursery.spawn("compose", command, env=self.project.env, log=log)
        self._changed()

    def _take_down(self) -> None:
        self.project.down()
        self.nursery.forget_undo(self.project.down_command())
        self._begun = False

    def _end_up(self) -> None:
        if self._up is not None:
            code = self.nursery.end(self._up, grace_s=0)
            self._up = None
            if code:
                tail = tail_of(self.config.logs / _UP_LOG)
                raise ServiceFailedError("docker compose up", f"ended with exit code {code}", tail)

    def _await_ready(self, name: str, waiter: Waiter) -> None:
        ready = self._services[name].ready
        if ready is not None:
            waiter.until(ready, f"{name} to be ready", timeout_s=READY_TIMEOUT_S)
        self._set(name, "running")

    def _set(self, name: str, state: ServiceState) -> None:
        with self._lock:
            self._states[name] = state
        self._changed()

    def _keep_log(self, each: ContainerService) -> None:
        log = self.config.logs / f"{each.name}.log"
        try:
            text = self.project.ask("logs", "--no-color", "--no-log-prefix", each.service)
        except DockerError as error:
            text = f"{error}\n"
        log.write_text(text, encoding="utf-8")

    def _failure(self, name: str, reason: str) -> ServiceFailedError:
        self._keep_log(self._services[name])
        return ServiceFailedError(name, reason, tail_of(self.config.logs / f"{name}.log"))
