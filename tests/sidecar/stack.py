"""Redis, scheduler, sidecar and a worker app as processes of their own, with a wiretap between."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import redis
from dapr.ext.workflow import DaprWorkflowClient

from sidecar.protos import service_grpc
from tests.sidecar.lossy import Lossy
from tests.sidecar.wiretap import Wiretap
from tests.support.components import write_component
from tests.support.ports import free_port
from tests.support.services import Service, python_service, redis_server, running, wait_until_http

APP_ID = "lab"
# As modules: the folder of a script would be searched for the standard library's `http`.
WORKER_APP = "tests.sidecar.worker_app"
EXAMPLES_APP = "tests.sidecar.examples_app"
_Value = TypeVar("_Value")


def until(look: Callable[[], _Value], timeout_s: float = 15.0, what: str = "") -> _Value:
    """Return the first true value that `look` finds; fail at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or look}")
        time.sleep(0.02)
    return found


@dataclass
class Stack:
    """One running stack; processes can be killed and started again on the same ports."""

    directory: Path
    profile: str
    redis: redis.Redis
    env: dict[str, str]
    health_url: str
    tap: Wiretap
    app_port: int
    redis_service: Service
    scheduler: Service
    client: DaprWorkflowClient
    stub: Any
    worker_app: tuple[str, ...]
    lossy: Lossy | None = None
    sidecar: Service | None = None
    app: Service | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    def start_sidecar(self) -> None:
        """Start the sidecar and wait until it is ready but for an app."""
        command = [sys.executable, "-m", "sidecar"]
        self.sidecar = self.closing.enter_context(
            running("sidecar", command, self.directory, self.env)
        )
        wait_until_http(self.sidecar, f"{self.health_url}/outbound")

    def start_app(self) -> None:
        """Start a worker app and wait until the sidecar has it."""
        command = [
            *(sys.executable, "-m", self.worker_app[0]),
            *(f"127.0.0.1:{self.app_port}", str(self.journal), *self.worker_app[1:]),
        ]
        self.app = self.closing.enter_context(running("app", command, self.directory))
        wait_until_http(self.app, self.health_url)

    def kill_sidecar(self) -> None:
        """SIGKILL the sidecar."""
        assert self.sidecar is not None
        self.sidecar.kill()

    def kill_app(self) -> None:
        """SIGKILL the worker app."""
        assert self.app is not None
        self.app.kill()

    def set_ttl(self, ttl_s: int) -> None:
        """Edit the component, and wait until the sidecar has taken it up."""
        write_component(self.directory / "components", ttl_s)
        until(lambda: self.metadata()["components"][0]["ttlInSeconds"] == ttl_s)

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says of itself."""
        answer: dict[str, Any] = httpx.get(
            self.health_url.replace("healthz", "metadata"), timeout=5
        ).json()
        return answer

    @property
    def journal(self) -> Path:
        """Return the file of executions."""
        return self.directory / "journal.jsonl"

    def executions(self, instance: str, event: str = "start") -> list[dict[str, Any]]:
        """Return the executions of an instance's activities, oldest first."""
        if not self.journal.exists():
            return []
        lines = map(json.loads, self.journal.read_text().splitlines())
        return [each for each in lines if (each["instance"], each["event"]) == (instance, event)]

    def keys(self, instance: str) -> list[str]:
        """Return the rows that Redis holds of an instance."""
        prefix = f"{APP_ID}||dapr.internal.default.{APP_ID}.workflow||{instance}||"
        found: Any = self.redis.keys(re.sub(r"([\[\]*?\\])", r"\\\1", prefix) + "*")
        return sorted(each.decode().removeprefix(prefix) for each in found)

    def key(self, instance: str, row: str) -> str:
        """Return the key of a row."""
        return f"{APP_ID}||dapr.internal.default.{APP_ID}.workflow||{instance}||{row}"

    def log(self) -> list[dict[str, Any]]:
        """Return the log of all the sidecar's lives."""
        lines = [
            line
            for path in sorted(self.directory.glob("sidecar-*.log"))
            for line in path.read_text().splitlines()
            if line.startswith("{")
        ]
        return [json.loads(line) for line in lines]

    def logged(self, text: str) -> int:
        """Count the log lines whose message is `text`."""
        return sum(each["event"] == text for each in self.log())


@contextmanager
def stack(
    directory: Path,
    profile: str,
    *,
    ttl_s: int = -1,
    relayed: bool = True,
    losing: bytes = b"",
    worker_app: tuple[str, ...] = (WORKER_APP,),
) -> Iterator[Stack]:
    """Run a stack with its worker app.

    Args:
        directory: Where its processes write; is made.
        profile: Of sidecar and scheduler.
        ttl_s: Of the component.
        relayed: Put the wiretap between app and sidecar.
        worker_app: Its module, and arguments after address and journal.
        losing: The sidecar hears no reply to a write to Redis that contains these bytes.
    """
    directory.mkdir(exist_ok=True)
    (directory / "scheduler").mkdir(mode=0o700)
    write_component(directory / "components", ttl_s)
    grpc_port, http_port, scheduler_port = free_port(), free_port(), free_port()
    with ExitStack() as closing:
        redis_service, redis_port = closing.enter_context(redis_server(directory))
        lossy = Lossy(redis_port, losing) if losing else None
        if lossy is not None:
            closing.callback(lossy.close)
        scheduler = _start_scheduler(closing, directory, profile, scheduler_port)
        tap = Wiretap(f"127.0.0.1:{grpc_port}")
        closing.callback(tap.close)
        app_port = tap.port if relayed else grpc_port
        channel = grpc.insecure_channel(f"127.0.0.1:{app_port}")
        closing.callback(channel.close)
        client = DaprWorkflowClient(host="127.0.0.1", port=str(app_port))
        closing.callback(client.close)
        connection = redis.Redis(port=redis_port)
        closing.callback(connection.close)
        made = Stack(
            directory=directory,
            profile=profile,
            redis=connection,
            env={
                "STATE_REDIS_HOST": f"127.0.0.1:{lossy.port if lossy else redis_port}",
                "SIDECAR_RESOURCES_PATH": str(directory / "components"),
                **_sidecar_env(profile, grpc_port, http_port, scheduler_port),
            },
            health_url=f"http://127.0.0.1:{http_port}/v1.0/healthz",
            tap=tap,
            app_port=app_port,
            redis_service=redis_service,
            scheduler=scheduler,
            client=client,
            worker_app=worker_app,
            lossy=lossy,
            stub=service_grpc.TaskHubSidecarServiceStub(channel),  # type: ignore[no-untyped-call]
        )
        closing.push(made.closing)
        made.start_sidecar()
        made.start_app()
        yield made


def _sidecar_env(
    profile: str, grpc_port: int, http_port: int, scheduler_port: int
) -> dict[str, str]:
    return {
        "SIDECAR_APP_ID": APP_ID,
        "SIDECAR_PROFILE": profile,
        "SIDECAR_GRPC_PORT": str(grpc_port),
        "SIDECAR_HTTP_PORT": str(http_port),
        "SIDECAR_SCHEDULER_ADDRESS": f"127.0.0.1:{scheduler_port}",
    }


def _start_scheduler(closing: ExitStack, directory: Path, profile: str, port: int) -> Service:
    http_port = free_port()
    env = {
        "SCHEDULER_PORT": str(port),
        "SCHEDULER_HTTP_PORT": str(http_port),
        "SCHEDULER_DATA_DIR": str(directory / "scheduler"),
        "SCHEDULER_PROFILE": profile,
    }
    url = f"http://127.0.0.1:{http_port}/healthz"
    return closing.enter_context(python_service("sidecar.scheduler", directory, env, url))
