"""Puts the sidecar together, serves until it is told to stop, and ends within a few seconds."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import grpc.aio
import structlog
from aiohttp import web

from sidecar.engine import Engine
from sidecar.errors import ConfigError
from sidecar.http_api import Probes, http_app
from sidecar.jobs import Jobs, open_channel
from sidecar.names import AppNames
from sidecar.profiles import profile
from sidecar.protos import service_grpc
from sidecar.reload import LiveComponent
from sidecar.service import SidecarService
from sidecar.settings import SidecarSettings
from sidecar.store import WorkflowStore, connect
from sidecar.watch import JobWatch
from sidecar.workers import Workers

_LOG = structlog.get_logger(scope="dapr.runtime")
_GRACE_S = 0.5
_DRAIN_S = 1.0
_LONGEST_MESSAGE_BYTES = 64 * 1024 * 1024
_GRPC_OPTIONS = [
    # Two sidecars on one port would share its calls silently.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _LONGEST_MESSAGE_BYTES),
    # The SDK pings each 30 s; by default that is answered with GOAWAY.
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.http2.max_ping_strikes", 0),
]


class Sidecar:
    """The parts of one sidecar; ConfigError when the component is unusable."""

    def __init__(self, settings: SidecarSettings) -> None:
        self.settings = settings
        self.profile = profile(settings.profile)
        self.names = AppNames(settings.app_id, settings.namespace)
        self.component = LiveComponent(settings.resources_path, settings.app_id)
        self.store = WorkflowStore(
            connect(self.component.store), self.names, self.profile, self.component.ttl_s
        )
        self.channel = open_channel(settings.scheduler_address)
        self.workers = Workers(self._presence)
        jobs = Jobs(self.channel, self.names, self.profile)
        self.engine = Engine(self.names, self.profile, self.store, jobs, self.workers)
        self.watch = JobWatch(self.channel, self.names, self.engine.handle)

    def probes(self) -> Probes:
        """Return what the HTTP routes look at."""
        return Probes(
            names=self.names,
            profile=self.profile.name,
            component=lambda: self.component.store,
            workers=lambda: self.workers.connected,
            active=lambda: self.engine.active,
            outbound=self._outbound,
        )

    async def stop(self) -> None:
        """End the workers' streams, answer what can be answered, close what was opened."""
        self.workers.close()
        await self.watch.drain(_DRAIN_S)

    async def close(self) -> None:
        """Close the connections to the scheduler and the store."""
        await self.channel.close()
        await self.store.close()

    def _presence(self) -> None:
        present = self.workers.connected > 0
        _LOG.info("worker connected" if present else "the last worker has gone")
        self.watch.host(hosting=present)
        if not present:
            # Without workers Dapr no longer hosts the actors, and their memory goes with them.
            self.engine.forget()

    async def _outbound(self) -> bool:
        return self.watch.connected and await self.store.ping()


async def serve(settings: SidecarSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; ConfigError where a port or the component can't be used."""
    _require_free("SIDECAR_GRPC_PORT", settings.host, settings.grpc_port)
    _require_free("SIDECAR_HTTP_PORT", settings.host, settings.http_port)
    sidecar = Sidecar(settings)
    try:
        async with _grpc(sidecar), _http(sidecar), _background(sidecar):
            _LOG.info(
                "sidecar ready",
                profile=settings.profile,
                app_id=settings.app_id,
                ttl_s=sidecar.component.ttl_s(),
                grpc=f"{settings.host}:{settings.grpc_port}",
                http=f"{settings.host}:{settings.http_port}",
            )
            await stop.wait()
            _LOG.info("sidecar stops")
            await sidecar.stop()
    finally:
        await sidecar.close()


@asynccontextmanager
async def _background(sidecar: Sidecar) -> AsyncIterator[None]:
    loops: tuple[Coroutine[None, None, None], ...] = (
        sidecar.watch.run(),
        sidecar.engine.sweep(),
        sidecar.component.follow(),
    )
    tasks = [asyncio.create_task(each) for each in loops]
    try:
        yield
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _grpc(sidecar: Sidecar) -> AsyncIterator[None]:
    settings = sidecar.settings
    server = grpc.aio.server(options=_GRPC_OPTIONS)
    service = SidecarService(sidecar.engine, sidecar.workers, sidecar.profile)
    service_grpc.add_TaskHubSidecarServiceServicer_to_server(  # type: ignore[no-untyped-call]
        service, server
    )
    try:
        server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
    except RuntimeError:
        raise _taken("SIDECAR_GRPC_PORT", settings.host, settings.grpc_port) from None
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)


@asynccontextmanager
async def _http(sidecar: Sidecar) -> AsyncIterator[None]:
    settings = sidecar.settings
    runner = web.AppRunner(http_app(sidecar.probes()), access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.http_port).start()
    except OSError:
        await runner.cleanup()
        raise _taken("SIDECAR_HTTP_PORT", settings.host, settings.http_port) from None
    try:
        yield
    finally:
        await runner.cleanup()


def _require_free(setting: str, host: str, port: int) -> None:
    # gRPC writes lines of its own when it fails to bind.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise _taken(setting, host, port) from None


def _taken(setting: str, host: str, port: int) -> ConfigError:
    return ConfigError(f"{setting}: can't listen on {host}:{port}; is the port taken?")
