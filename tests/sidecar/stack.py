"""Redis, scheduler, sidecar and a worker app as processes of their own, with a wiretap between."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.conformance.bench import WORKER_APP, Bench, until, whole_lines, wired
from tests.conformance.needs import Need
from tests.support.components import write_component
from tests.support.ports import free_port
from tests.support.services import Service, python_service, redis_server, running, wait_until_http

__all__ = ["APP_ID", "EXAMPLES_APP", "WORKER_APP", "Stack", "stack", "until"]
APP_ID = "lab"
EXAMPLES_APP = "tests.sidecar.examples_app"


@dataclass(kw_only=True)
class Stack(Bench):
    """One running stack; processes can be killed and started again on the same ports."""

    env: dict[str, str]
    redis_service: Service
    scheduler: Service
    sidecar: Service | None = None

    @property
    def health_url(self) -> str:
        """Return where the sidecar tells whether it is ready and has an app."""
        return f"{self.http_url}/v1.0/healthz"

    def start_sidecar(self) -> None:
        """Start the sidecar and wait until it is ready but for an app."""
        command = [sys.executable, "-m", "sidecar"]
        self.sidecar = self.closing.enter_context(
            running("sidecar", command, self.directory, self.env)
        )
        wait_until_http(self.sidecar, f"{self.health_url}/outbound")

    def start_app(self) -> None:
        """Start a worker app and wait until the sidecar has it."""
        super().start_app()
        assert self.app is not None
        wait_until_http(self.app, self.health_url)

    def kill_sidecar(self) -> None:
        """SIGKILL the sidecar."""
        assert self.sidecar is not None
        self.sidecar.kill()

    def stop_sidecar(self, patience_s: float) -> bool:
        """SIGTERM the sidecar, and tell whether it has gone within `patience_s`; SIGKILL if not."""
        assert self.sidecar is not None
        return self.sidecar.stop(patience_s)

    def restart_scheduler(self) -> None:
        """SIGKILL the scheduler and start it on what it has stored."""
        self.scheduler.kill()
        self.scheduler = _start_scheduler(self.closing, self.directory, self.scheduler.env)

    def set_ttl(self, ttl_s: int) -> None:
        """Edit the component, and wait until the sidecar, if it is up, has taken it up."""
        write_component(self.directory / "components", ttl_s)
        if self.sidecar is not None and self.sidecar.process.poll() is None:
            wanted = max(ttl_s, 0)
            until(lambda: (self.metadata()["components"][0]["ttlInSeconds"] or 0) == wanted)

    def log(self) -> list[dict[str, Any]]:
        """Return the log of all the sidecar's lives."""
        lines = [
            line
            for path in sorted(self.directory.glob("sidecar-*.log"))
            for line in whole_lines(path)
            if line.startswith("{")
        ]
        return [json.loads(line) for line in lines]


@contextmanager
def stack(
    directory: Path,
    profile: str,
    *,
    ttl_s: int = -1,
    relayed: bool = True,
    worker_app: tuple[str, ...] = (WORKER_APP,),
) -> Iterator[Stack]:
    """Run a stack with its worker app.

    Args:
        directory: Where its processes write; is made.
        profile: Of sidecar and scheduler.
        ttl_s: Of the component.
        relayed: Put the wiretap between app and sidecar.
        worker_app: Its module, and arguments after address and journal.
    """
    directory.mkdir(exist_ok=True)
    (directory / "scheduler").mkdir(mode=0o700)
    write_component(directory / "components", ttl_s)
    grpc_port, http_port, scheduler_port = free_port(), free_port(), free_port()
    with ExitStack() as closing:
        redis_service, redis_port = closing.enter_context(redis_server(directory))
        scheduler_env = _scheduler_env(directory, profile, scheduler_port)
        scheduler = _start_scheduler(closing, directory, scheduler_env)
        ours = closing.enter_context(wired(f"127.0.0.1:{grpc_port}", relayed=relayed))
        connection = redis.Redis(port=redis_port)
        closing.callback(connection.close)
        made = Stack(
            **vars(ours),
            directory=directory,
            profile=profile,
            redis=connection,
            env={
                "STATE_REDIS_HOST": f"127.0.0.1:{redis_port}",
                "SIDECAR_RESOURCES_PATH": str(directory / "components"),
                **_sidecar_env(profile, grpc_port, http_port, scheduler_port),
            },
            http_url=f"http://127.0.0.1:{http_port}",
            scheduler_address=f"127.0.0.1:{scheduler_port}",
            handles=frozenset(Need),
            app_id=APP_ID,
            worker_app=worker_app,
            redis_service=redis_service,
            scheduler=scheduler,
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


def _scheduler_env(directory: Path, profile: str, port: int) -> dict[str, str]:
    return {
        "SCHEDULER_PORT": str(port),
        "SCHEDULER_HTTP_PORT": str(free_port()),
        "SCHEDULER_DATA_DIR": str(directory / "scheduler"),
        "SCHEDULER_PROFILE": profile,
    }


def _start_scheduler(closing: ExitStack, directory: Path, env: Mapping[str, str]) -> Service:
    url = f"http://127.0.0.1:{env['SCHEDULER_HTTP_PORT']}/healthz"
    return closing.enter_context(python_service("sidecar.scheduler", directory, env, url))
