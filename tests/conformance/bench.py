"""What scenarios are played on: a wiretap before a sidecar, a worker app and a client behind it."""

import json
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import grpc
import httpx
import redis
from dapr.ext.workflow import DaprWorkflowClient
from google.protobuf.empty_pb2 import Empty

from scheduler_api import SchedulerClient
from sidecar.protos import service_grpc
from tests.conformance.errors import StageError
from tests.conformance.needs import Need
from tests.sidecar.wiretap import Wiretap
from tests.support.http import SHARED_TLS
from tests.support.services import Service, running

# As a module: the folder of a script would be searched for the standard library's `http`.
WORKER_APP = "tests.sidecar.worker_app"
_LOOK_S = 0.02
# The SDK waits up to 15 s between two attempts to reach a sidecar that was away.
_CONNECTED_WITHIN_S = 40.0
_Value = TypeVar("_Value")


def until(look: Callable[[], _Value], timeout_s: float = 15.0, what: str = "") -> _Value:
    """Return the first true value that `look` finds; StageError at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise StageError(f"not within {timeout_s} s: {what or look}")
        time.sleep(_LOOK_S)
    return found


def whole_lines(path: Path) -> list[str]:
    """Return the lines of a file that may still grow, the one that is being written left out."""
    return path.read_text().split("\n")[:-1] if path.exists() else []


@dataclass(kw_only=True)
class Bench(ABC):
    """One sidecar under test, and all that a scenario may do to it.

    Attributes:
        directory: Where the app writes its journal and the logs go.
        profile: Version of Dapr that the sidecar is compared with.
        http_url: Of the sidecar, without a path; empty when unknown.
        redis: Of the state store; only to be used with `Need.REDIS`.
        scheduler_address: Only to be used with `Need.SCHEDULER`.
        handles: What can be done to it.
        worker_app: Its module, and arguments after address and journal.
    """

    directory: Path
    profile: str
    tap: Wiretap
    app_port: int
    client: DaprWorkflowClient
    stub: Any
    http_url: str
    redis: redis.Redis
    scheduler_address: str
    handles: frozenset[Need]
    app_id: str = "lab"
    namespace: str = "default"
    worker_app: tuple[str, ...] = (WORKER_APP,)
    app: Service | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    @abstractmethod
    def start_sidecar(self) -> None:
        """Start the sidecar and wait until it is ready but for an app."""

    @abstractmethod
    def kill_sidecar(self) -> None:
        """SIGKILL the sidecar, and return when it is gone."""

    @abstractmethod
    def stop_sidecar(self, patience_s: float) -> bool:
        """SIGTERM the sidecar, and tell whether it has gone within `patience_s`; SIGKILL if not."""

    @abstractmethod
    def restart_scheduler(self) -> None:
        """Restart the scheduler with its jobs kept."""

    @abstractmethod
    def set_ttl(self, ttl_s: int) -> None:
        """Let the component write keys that live so long; -1 is for ever."""

    @abstractmethod
    def log(self) -> list[dict[str, Any]]:
        """Return the sidecar's log lines: `level` and `event`, the message."""

    def start_app(self) -> None:
        """Start a worker app, and wait until the sidecar has it."""
        command = [
            *(sys.executable, "-m", self.worker_app[0]),
            *(f"127.0.0.1:{self.app_port}", str(self.journal), *self.worker_app[1:]),
        ]
        self.app = self.closing.enter_context(running("app", command, self.directory))
        self.connected()

    def kill_app(self) -> None:
        """SIGKILL the worker app."""
        assert self.app is not None
        self.app.kill()

    def reachable(self) -> None:
        """Wait until calls pass through the relay again, after the sidecar was away."""
        self.stub.Hello(Empty(), timeout=_CONNECTED_WITHIN_S, wait_for_ready=True)

    def connected(self) -> None:
        """Wait until an app has its stream of work from the sidecar, where it is relayed."""
        if self.app_port != self.tap.port:
            return
        until(self.tap.streams, _CONNECTED_WITHIN_S, "a worker app connected to the sidecar")

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says of itself."""
        answer: dict[str, Any] = httpx.get(
            f"{self.http_url}/v1.0/metadata", verify=SHARED_TLS, timeout=5
        ).json()
        return answer

    @property
    def journal(self) -> Path:
        """Return the file of executions."""
        return self.directory / "journal.jsonl"

    def journaled(self) -> list[dict[str, Any]]:
        """Return all that the app has written down, oldest first."""
        return [json.loads(each) for each in whole_lines(self.journal)]

    def executions(self, instance: str, event: str = "start") -> list[dict[str, Any]]:
        """Return the executions of an instance's activities, oldest first."""
        wanted = (instance, event)
        return [each for each in self.journaled() if (each["instance"], each["event"]) == wanted]

    def order(self, instance: str, **orders: Any) -> None:
        """Tell the activities of an instance what to do at their end; nothing ends all orders."""
        path = self.directory / f"orders-{quote(instance, safe='')[:100]}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(orders))
        draft.replace(path)

    @property
    def actor_type(self) -> str:
        """Return the type of the app's workflow actors."""
        return f"dapr.internal.{self.namespace}.{self.app_id}.workflow"

    @property
    def activity_type(self) -> str:
        """Return the type of the app's activity actors."""
        return f"dapr.internal.{self.namespace}.{self.app_id}.activity"

    def keys(self, instance: str) -> list[str]:
        """Return the rows that Redis holds of an instance."""
        prefix = self.key(instance, "")
        found: Any = self.redis.keys(re.sub(r"([\[\]*?\\])", r"\\\1", prefix) + "*")
        return sorted(each.decode().removeprefix(prefix) for each in found)

    def key(self, instance: str, row: str) -> str:
        """Return the key of a row."""
        return f"{self.app_id}||{self.actor_type}||{instance}||{row}"

    def logged(self, text: str) -> int:
        """Count the log lines whose message is `text`."""
        return sum(each["event"] == text for each in self.log())

    def delete_jobs(self, instance: str) -> None:
        """Delete the scheduler's jobs of an instance's activities."""
        client = SchedulerClient(self.scheduler_address)
        try:
            client.delete_instance_jobs(self.app_id, instance, self.namespace)
        finally:
            client.close()


@dataclass(frozen=True, kw_only=True)
class Wired:
    """The driver's own part of a bench: a relay to the sidecar, and a client that goes over it."""

    tap: Wiretap
    app_port: int
    client: DaprWorkflowClient
    stub: Any


@contextmanager
def wired(sidecar_address: str, *, relayed: bool = True) -> Iterator[Wired]:
    """Put a wiretap before a sidecar; without `relayed` app and client go past it."""
    with ExitStack() as closing:
        tap = Wiretap(sidecar_address)
        closing.callback(tap.close)
        port = tap.port if relayed else int(sidecar_address.rpartition(":")[2])
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        closing.callback(channel.close)
        client = DaprWorkflowClient(host="127.0.0.1", port=str(port))
        closing.callback(client.close)
        stub = service_grpc.TaskHubSidecarServiceStub(channel)  # type: ignore[no-untyped-call]
        yield Wired(tap=tap, app_port=port, client=client, stub=stub)
