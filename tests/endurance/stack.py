"""Redis, scheduler, sidecar and two workers, killed and started again within milliseconds."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp
from redis import Redis

from tests.endurance.cutting import CuttingRelay
from tests.endurance.relay import Relay
from tests.support.components import write_component
from tests.support.ports import free_port
from tests.support.services import ROOT, Service, redis_server

APP_ID = "lab"
PROFILES = ("1.16.1", "1.18.3")
WORKERS = ("worker-0", "worker-1")
_READY_TIMEOUT_S = 30.0
_LOOK_S = 0.02


class Zygote:
    """One service, started by forks of a process that has imported it."""

    def __init__(self, name: str, module: str, directory: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        command = [sys.executable, "-m", "tests.endurance.zygote", module, str(self.log)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = 0

    def start(self) -> None:
        """Start the service."""
        self.pid = self._ask("start")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the service by a signal, and wait until it is gone."""
        self.send(number)
        self._ask(f"wait {self.pid}")

    def send(self, number: int) -> None:
        """Send the service a signal."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """End the service and its zygote."""
        self._pipe(self._process.stdin).close()
        self._process.wait(10)
        self._pipe(self._process.stdout).close()

    def _ask(self, command: str) -> int:
        into, out = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        into.write(f"{command}\n")
        into.flush()
        return int(out.readline())

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@dataclass
class Stack:
    """A running stack."""

    directory: Path
    profile: str
    redis: Redis
    relay: Relay
    services: dict[str, Zygote]
    sidecar_address: str
    http: aiohttp.ClientSession
    sidecar_url: str
    scheduler_url: str
    store_link: CuttingRelay
    scheduler_link: CuttingRelay
    redis_service: Service
    redis_port: int
    closing: AsyncExitStack
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def journal(self) -> Path:
        """Return the file of executions."""
        return self.directory / "journal.jsonl"

    def kill(self, names: Sequence[str], number: int) -> None:
        """End services by a signal one after the other, and start them again."""
        for each in names:
            self.services[each].kill(number)
            self.kills[f"{signal.Signals(number).name} of {each}"] += 1
        for each in names:
            self.services[each].start()

    def restart_redis(self, *arguments: str) -> None:
        """SIGKILL Redis, and start it again on its port."""
        self.redis_service.kill()
        again = redis_server(self.directory, *arguments, port=self.redis_port)
        self.redis_service, _ = self.closing.enter_context(again)

    async def ready(self) -> None:
        """Wait until the scheduler is up and the sidecar has a worker."""
        await self._answers(f"{self.scheduler_url}/healthz")
        await self._answers(f"{self.sidecar_url}/outbound")
        await self._answers(self.sidecar_url)

    async def jobs(self, prefix: str = "") -> list[dict[str, Any]]:
        """Return the jobs that the scheduler holds."""
        async with self.http.get(
            f"{self.scheduler_url}/admin/jobs", params={"prefix": prefix, "limit": 10_000}
        ) as answer:
            found: list[dict[str, Any]] = (await answer.json())["jobs"]
            return found

    async def _answers(self, url: str) -> None:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with self.http.get(url) as answer:
                        if answer.ok:
                            return
                await asyncio.sleep(_LOOK_S)


@asynccontextmanager
async def stack(
    directory: Path, profile: str, *, linked: bool = False, redis: Sequence[str] = ()
) -> AsyncIterator[Stack]:
    """Run a stack.

    Args:
        directory: Where its processes write; is made.
        profile: Of sidecar and scheduler.
        linked: The sidecar reaches Redis and the scheduler through relays that can cut.
        redis: More arguments for the server.
    """
    _prepare(directory)
    async with AsyncExitStack() as closing:
        redis_service, redis_port = closing.enter_context(redis_server(directory, *redis))
        ports = {name: free_port() for name in ("grpc", "http", "scheduler", "admin")}
        relay = Relay(ports["grpc"])
        store_link = CuttingRelay(redis_port)
        scheduler_link = CuttingRelay(ports["scheduler"])
        for each in (relay, store_link, scheduler_link):
            await each.start()
            closing.push_async_callback(each.close)
        connection = Redis(port=redis_port)
        closing.callback(connection.close)
        http = await closing.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5))
        )
        env = _environment(directory, profile, ports)
        env |= {
            "ENDURANCE_SIDECAR": f"127.0.0.1:{relay.port}",
            "STATE_REDIS_HOST": f"127.0.0.1:{store_link.port if linked else redis_port}",
        }
        if linked:
            env["SIDECAR_SCHEDULER_ADDRESS"] = f"127.0.0.1:{scheduler_link.port}"
        services = {}
        for name, module in (
            ("scheduler", "sidecar.scheduler.__main__"),
            ("sidecar", "sidecar.__main__"),
            *((each, "tests.endurance.worker") for each in WORKERS),
        ):
            services[name] = Zygote(name, module, directory, env)
            closing.callback(services[name].close)
        for service in services.values():
            service.start()
        made = Stack(
            directory=directory,
            profile=profile,
            redis=connection,
            relay=relay,
            services=services,
            sidecar_address=f"127.0.0.1:{ports['grpc']}",
            http=http,
            sidecar_url=f"http://127.0.0.1:{ports['http']}/v1.0/healthz",
            scheduler_url=f"http://127.0.0.1:{ports['admin']}",
            store_link=store_link,
            scheduler_link=scheduler_link,
            redis_service=redis_service,
            redis_port=redis_port,
            closing=closing,
        )
        await made.ready()
        yield made


async def at_once(play: Callable[[str], Coroutine[None, None, None]]) -> None:
    """Play the same on every profile at once: most of it is waiting."""
    async with asyncio.TaskGroup() as tasks:
        for each in PROFILES:
            tasks.create_task(play(each))


def _prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "jobs").mkdir(mode=0o700)
    write_component(directory / "components")


def _environment(directory: Path, profile: str, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "SIDECAR_APP_ID": APP_ID,
        "SIDECAR_PROFILE": profile,
        "SIDECAR_GRPC_PORT": str(ports["grpc"]),
        "SIDECAR_HTTP_PORT": str(ports["http"]),
        "SIDECAR_SCHEDULER_ADDRESS": f"127.0.0.1:{ports['scheduler']}",
        "SIDECAR_RESOURCES_PATH": str(directory / "components"),
        "SCHEDULER_PORT": str(ports["scheduler"]),
        "SCHEDULER_HTTP_PORT": str(ports["admin"]),
        "SCHEDULER_DATA_DIR": str(directory / "jobs"),
        "SCHEDULER_PROFILE": profile,
        "ENDURANCE_JOURNAL": str(directory / "journal.jsonl"),
    }
