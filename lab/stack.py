"""What the lab asks of a running stack, whatever runs it: processes, or containers."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from lab.services import READY_TIMEOUT_S
from lab.stack_config import StackConfig
from lab.state_file import ServiceRecord
from lab.waiting import Waiter

ServiceState = Literal["waiting", "starting", "running", "down", "dead"]

READY_MARGIN_S = 10
RESTART_TIMEOUT_S = READY_TIMEOUT_S + READY_MARGIN_S

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


class Stack(Protocol):
    """The services of one configuration."""

    config: StackConfig

    def notify(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change of a service from now on."""

    def start(self, waiter: Waiter) -> None:
        """Start everything and wait until all of it is ready.

        Raises:
            ServiceFailedError: naming the first that failed, with its last log lines.
        """

    def restart(self, name: str, waiter: Waiter) -> None:
        """Start one service that is down and wait until it is ready."""

    def kill(self, name: str) -> int:
        """SIGKILL one service on purpose; return when it died, in Unix milliseconds.

        It counts as down, not as dead.
        """

    def stop(self) -> None:
        """End everything; nothing is left of it, whatever had begun."""

    def alive(self) -> None:
        """Raise `ServiceFailedError` when a service ended that should run."""

    def environment(self) -> dict[str, str]:
        """Return the environment for a program that works on this stack."""

    def label(self) -> str:
        """Return what runs, as the engine itself reports it; never guessed."""

    def records(self) -> tuple[ServiceRecord, ...]:
        """Return the services as they are at the moment."""


def base_environment(config: StackConfig, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that every service of a stack gets: loopback past any proxy."""
    kept = {
        key: value
        for key, value in environ.items()
        if config.inherit_settings or not key.startswith(_SETTING_PREFIXES)
    }
    loopback = "127.0.0.1,localhost"
    return {**kept, "NO_PROXY": loopback, "no_proxy": loopback, "PYTHONUNBUFFERED": "1"}
