"""What is compared: the upstream itself, a proxy that only forwards, the gateway, and LiteLLM.

Each runs as one process, the proxy on the gateway's own libraries, all at once on the same machine.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.budget_rules import limit_every_scope
from benchmarks.litellm_proxy import litellm_proxy
from tests.support.ports import free_port
from tests.support.services import Service, redis_server, running, wait_until_http

UPSTREAM: Final = "upstream alone"
PROXY: Final = "proxy, forwards only"
GATEWAY: Final = "gateway, enforcing"
REPLAYING: Final = "gateway, with keys"
LITELLM: Final = "LiteLLM, enforcing"

DURABLE: Final = ("--appendonly", "yes", "--appendfsync", "always")
"""And `--maxmemory-policy noeviction`, which is the default."""

REST_WITHIN_S: Final = 5.0
REST_LOOK_S: Final = 0.1
BUSY_SHARE: Final = 0.25
"""Of one processor."""

INSTANCES: Final = 1_000
CALLS_OF_AN_INSTANCE: Final = 20
PROMPT: Final = "Say something nice about the weather of today, in one sentence."


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server under load.

    Attributes:
        name: As the tables show it.
        port: On 127.0.0.1.
        process: The server.
        has_keys: Whether each call has an idempotency key of its own, so that its answer is stored.
    """

    name: str
    port: int
    process: psutil.Process
    has_keys: bool = False

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        return float(sum(self.process.cpu_times()[:2]))

    def come_to_rest(self) -> None:
        """Wait, for a bounded time, until it has ended what it does after its answers.

        LiteLLM counts what a call cost in the background: the next contestant must not pay for it.
        """
        deadline_s = time.monotonic() + REST_WITHIN_S
        while time.monotonic() < deadline_s:
            before_s = self.cpu_s()
            time.sleep(REST_LOOK_S)
            if self.cpu_s() - before_s < REST_LOOK_S * BUSY_SHARE:
                return

    def request(self, number: int, *, is_stream: bool = False) -> bytes:
        """Write the n-th call: 1,000 instances of 10 workflows take turns."""
        instance = number % INSTANCES
        task = number // INSTANCES % CALLS_OF_AN_INSTANCE
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            "X-Workflow-App: bench",
            f"X-Workflow-Name: workflow-{instance % 10}",
            f"X-Workflow-Root: root-{instance % 100}",
            f"X-Workflow-Instance: instance-{instance}",
            "X-Workflow-Activity: think",
            f"X-Workflow-Task-Id: {task}",
            f"X-Workflow-Execution-Id: execution-{instance}-{task}",
            f"Content-Length: {len(_BODIES[is_stream])}",
        ]
        if self.has_keys:
            lines.append(f"Idempotency-Key: instance-{instance}:{number}:{task}:1")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + _BODIES[is_stream]


_PLAIN: Final = (
    f'{{"model":"gpt-4","messages":[{{"role":"user","content":"{PROMPT}"}}],"max_tokens":20}}'
).encode()
_BODIES: Final = {False: _PLAIN, True: _PLAIN[:-1] + b',"stream":true}'}


@contextmanager
def contestants(log_dir: Path, litellm: Path | None) -> Iterator[dict[str, Contestant]]:
    """Run all of them until the block ends, by name."""
    with ExitStack() as stack:
        upstream = _uvicorn(stack, UPSTREAM, "benchmarks.fixed_upstream:app", log_dir, {})
        env = {"UPSTREAM_URL": upstream.url}
        found = [
            upstream,
            _uvicorn(stack, PROXY, "benchmarks.pass_through:app", log_dir, env),
            *_gateways(stack, upstream.url, log_dir),
        ]
        if litellm is not None:
            found.append(_litellm(stack, litellm, upstream.url, log_dir))
        yield {contestant.name: contestant for contestant in found}


def _uvicorn(
    stack: ExitStack, name: str, application: str, log_dir: Path, env: dict[str, str]
) -> Contestant:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    command += ["--http", "httptools", "--loop", "uvloop", "--log-level", "error"]
    command += ["--no-access-log"]
    service = stack.enter_context(running(name, command, log_dir, env))
    wait_until_http(service, f"http://127.0.0.1:{port}/served")
    return Contestant(name, port, _process(service))


def _gateways(stack: ExitStack, upstream_url: str, log_dir: Path) -> list[Contestant]:
    """Run one gateway on a Redis of its own; it is asked without and with idempotency keys."""
    redis_dir = log_dir / "redis"
    redis_dir.mkdir()
    _, redis_port = stack.enter_context(redis_server(redis_dir, *DURABLE))
    port, redis_url = free_port(), f"redis://127.0.0.1:{redis_port}/0"
    env = {
        "BUDGET_PORT": str(port),
        "BUDGET_UPSTREAM_URL": upstream_url,
        "BUDGET_REDIS_URL": redis_url,
    }
    command = [sys.executable, "-m", "budget"]
    service = stack.enter_context(running("budget", command, log_dir, env))
    wait_until_http(service, f"http://127.0.0.1:{port}/readyz")
    limit_every_scope(redis_url)
    process = _process(service)
    return [
        Contestant(GATEWAY, port, process),
        Contestant(REPLAYING, port, process, has_keys=True),
    ]


def _litellm(stack: ExitStack, folder: Path, upstream_url: str, log_dir: Path) -> Contestant:
    """Run LiteLLM on a Redis of its own that keeps nothing on disk, as its documentation has it."""
    port = free_port()
    redis_dir = log_dir / "redis-of-litellm"
    redis_dir.mkdir()
    _, redis_port = stack.enter_context(redis_server(redis_dir))
    proxy = litellm_proxy(folder, port, upstream_url, redis_port, log_dir)
    return Contestant(LITELLM, port, _process(stack.enter_context(proxy)))


def _process(service: Service) -> psutil.Process:
    return psutil.Process(service.process.pid)
