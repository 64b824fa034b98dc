"""The whole house as processes: Redis, scheduler, sidecar, fake LLM, budget and the app itself."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.support.components import write_component
from tests.support.http import SHARED_TLS
from tests.support.ports import free_port
from tests.support.services import Service, redis_server, running, wait_until_http

APP_ID = "workflow-app"
INSTANCE_CAP_USD = "2"
START_TIMEOUT_S = 50.0
_Value = TypeVar("_Value")


def until(look: Callable[[], _Value | None], what: str, timeout_s: float = 20.0) -> _Value:
    """Return the first true value that `look` finds; fail at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.05)
    return found


@dataclass
class Part:
    """One of our services: how it is started, and where it answers once it is ready."""

    module: str
    env: Mapping[str, str]
    ready_url: str
    service: Service | None = None


@dataclass
class Stack:
    """A running house; `app` and `llm` are clients of the app and of the fake LLM."""

    directory: Path
    app: httpx.Client
    llm: httpx.Client
    budget_url: str
    closing: ExitStack
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def app_url(self) -> str:
        """Base URL of the app."""
        return str(self.app.base_url).rstrip("/")

    @property
    def llm_url(self) -> str:
        """Base URL of the fake LLM."""
        return str(self.llm.base_url).rstrip("/")

    def launch(self, name: str) -> None:
        """Start a service without waiting for it."""
        part = self.parts[name]
        command = [sys.executable, "-m", part.module]
        part.service = self.closing.enter_context(
            running(part.module, command, self.directory, part.env)
        )

    def wait(self, name: str) -> None:
        """Wait until a started service is ready."""
        part = self.parts[name]
        assert part.service is not None
        wait_until_http(part.service, part.ready_url, START_TIMEOUT_S)

    def kill(self, name: str) -> None:
        """SIGKILL a service."""
        service = self.parts[name].service
        assert service is not None
        service.kill()

    def workflow(self, instance_id: str) -> dict[str, Any]:
        """Return what the app tells of an instance."""
        body: dict[str, Any] = self.app.get(f"/workflows/{instance_id}").json()
        return body

    def until_status(self, instance_id: str, status: str) -> dict[str, Any]:
        """Wait until the engine says `status` of an instance; return what the app tells of it."""

        def look() -> dict[str, Any] | None:
            entry = self.workflow(instance_id)
            return entry if entry.get("engine", {}).get("status") == status else None

        return until(look, f"{instance_id} {status}, last: {self.workflow(instance_id)}")

    def history_length(self, instance_id: str) -> int:
        """Return how many events the sidecar holds of an instance's history, or 0."""
        sidecar = self.parts["sidecar"].ready_url.removesuffix("/v1.0/healthz/outbound")
        asked = {"prefix": instance_id, "limit": "1"}
        answer = httpx.get(
            f"{sidecar}/admin/instances", params=asked, verify=SHARED_TLS
        ).raise_for_status()
        found = answer.json()["instances"]
        return int(found[0]["history_length"]) if found else 0

    def executions(self, instance_id: str) -> list[dict[str, Any]]:
        """Return the ended executions of an instance, oldest first."""
        entries: list[dict[str, Any]] = self.app.get("/executions?limit=10000").json()["executions"]
        return [entry for entry in entries if entry["instance"] == instance_id]


@contextmanager
def stack(directory: Path, **app_env: str) -> Iterator[Stack]:
    """Run a house whose state never expires and whose instances may spend `INSTANCE_CAP_USD`."""
    (directory / "scheduler").mkdir(mode=0o700, parents=True)
    (directory / "components").mkdir()
    write_component(directory / "components")
    names = ("scheduler", "scheduler_http", "sidecar", "sidecar_http", "fake_llm", "budget", "app")
    ports = {name: free_port() for name in names}
    with ExitStack() as closing:
        _, state_port = closing.enter_context(redis_server(directory))
        _, budget_port = closing.enter_context(redis_server(directory))
        made = Stack(
            directory=directory,
            app=closing.enter_context(
                httpx.Client(
                    base_url=f"http://127.0.0.1:{ports['app']}", verify=SHARED_TLS, timeout=15
                )
            ),
            llm=closing.enter_context(
                httpx.Client(
                    base_url=f"http://127.0.0.1:{ports['fake_llm']}", verify=SHARED_TLS, timeout=15
                )
            ),
            budget_url=f"http://127.0.0.1:{ports['budget']}",
            closing=closing,
            parts=_parts(directory, ports, state_port, budget_port, app_env),
        )
        for name in made.parts:
            made.launch(name)
        for name in made.parts:
            made.wait(name)
        until(lambda: made.app.get("/health").json()["status"] == "ok", "the worker is connected")
        yield made


def _parts(
    directory: Path,
    ports: Mapping[str, int],
    state_port: int,
    budget_port: int,
    app_env: Mapping[str, str],
) -> dict[str, Part]:
    url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    return {
        "scheduler": Part(
            "sidecar.scheduler",
            {
                "SCHEDULER_PORT": str(ports["scheduler"]),
                "SCHEDULER_HTTP_PORT": str(ports["scheduler_http"]),
                "SCHEDULER_DATA_DIR": str(directory / "scheduler"),
            },
            f"{url['scheduler_http']}/healthz",
        ),
        "sidecar": Part(
            "sidecar",
            {
                "STATE_REDIS_HOST": f"127.0.0.1:{state_port}",
                "SIDECAR_APP_ID": APP_ID,
                "SIDECAR_GRPC_PORT": str(ports["sidecar"]),
                "SIDECAR_HTTP_PORT": str(ports["sidecar_http"]),
                "SIDECAR_RESOURCES_PATH": str(directory / "components"),
                "SIDECAR_SCHEDULER_ADDRESS": f"127.0.0.1:{ports['scheduler']}",
            },
            f"{url['sidecar_http']}/v1.0/healthz/outbound",
        ),
        "fake_llm": Part(
            "fake_llm", {"FAKE_LLM_PORT": str(ports["fake_llm"])}, f"{url['fake_llm']}/health"
        ),
        "budget": Part(
            "budget",
            {
                "BUDGET_PORT": str(ports["budget"]),
                "BUDGET_UPSTREAM_URL": url["fake_llm"],
                "BUDGET_REDIS_URL": f"redis://127.0.0.1:{budget_port}/0",
                "BUDGET_INSTANCE_CAP_USD": INSTANCE_CAP_USD,
                "BUDGET_ALLOW_UNSAFE_STORE": "true",
            },
            f"{url['budget']}/readyz",
        ),
        "app": Part(
            "workflow_app",
            {
                "WORKFLOW_APP_PORT": str(ports["app"]),
                "WORKFLOW_APP_SIDECAR_ADDRESS": f"127.0.0.1:{ports['sidecar']}",
                "WORKFLOW_APP_LLM_BASE_URL": f"{url['budget']}/v1",
                **app_env,
            },
            f"{url['app']}/health",
        ),
    }
