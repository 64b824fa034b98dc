"""Puts the sidecar together, serves until it is told to stop, and ends within a few seconds."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Protocol

import grpc.aio
import structlog
from aiohttp import web

from serving.http import http_site
from serving.listener import listen, require_free
from sidecar.components.reload import LiveComponent
from sidecar.components.state_store import StateStore
from sidecar.engine.actors import Engine
from sidecar.engine.calls import WorkflowCalls
from sidecar.engine.inspection import Inspection
from sidecar.faults import Faults, FaultyRows, Parts, SchedulerLink, StoreFaults
from sidecar.http import admin, inspection, metrics
from sidecar.http.app import Served, http_app
from sidecar.http.health import Probes
from sidecar.metrics import Metrics
from sidecar.names import AppNames
from sidecar.profiles import profile
from sidecar.protos import service_grpc
from sidecar.reminders.actor_api import Reminders
from sidecar.reminders.jobs import Jobs
from sidecar.reminders.link import Link, open_channel
from sidecar.reminders.watch import JobWatch
from sidecar.service import SidecarService
from sidecar.service.actor_calls import actor_calls
from sidecar.service.answers import UnknownMethods
from sidecar.settings import ENV_PREFIX, SidecarSettings
from sidecar.stores.opening import open_rows
from sidecar.stores.rows import Rows
from sidecar.stores.workflows import WorkflowStore
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


class Component(Protocol):
    """The actor state store in force; LiveComponent reads it from files."""

    @property
    def store(self) -> StateStore:
        """Return it."""

    def ttl_s(self) -> int | None:
        """Return its TTL, as in StateStore."""

    async def follow(self) -> None:
        """Look for edits until cancelled."""


class Sidecar:
    """The parts of one sidecar.

    Args:
        settings: Where it listens and what it is like.
        component: The state store.
        rows: The store's rows; closed with the sidecar.
    """

    def __init__(self, settings: SidecarSettings, component: Component, rows: Rows) -> None:
        self.settings = settings
        self.profile = profile(settings.profile)
        self.names = AppNames(settings.app_id, settings.namespace)
        self.component = component
        store_faults = StoreFaults()
        rows = FaultyRows(rows, store_faults)
        self.store = WorkflowStore(rows, self.names, self.profile, component.ttl_s)
        self.channel = open_channel(settings.scheduler_address)
        self.workers = Workers(self._presence)
        link = Link(self.channel)
        jobs = self.jobs = Jobs(link, self.names, self.profile)
        self.metrics = Metrics(self.names, self.profile)
        self.engine = Engine(
            self.names, self.profile, self.store, jobs, self.workers, metrics=self.metrics
        )
        self.inspection = Inspection(self.engine, self.store, self.workers)
        self.calls = WorkflowCalls(self.engine, self.store)
        self.reminders = Reminders(
            self.names, self.profile, jobs, lambda: self.workers.connected > 0
        )
        self.watch = JobWatch(link, self.names, self.metrics.counting(self.engine.handle))
        self.scheduler_stream = SchedulerLink(self.watch.run)
        self.faults = Faults(
            Parts(
                self.workers, store_faults, self.scheduler_stream, self.engine.forget, self.profile
            )
        )

    def served(self) -> Served:
        """Return what the HTTP routes are about."""
        return Served(self._probes(), self.calls, self.reminders, self.profile)

    def _probes(self) -> Probes:
        return Probes(
            names=self.names,
            profile=self.profile.label,
            component=lambda: self.component.store,
            workers=lambda: self.workers.connected,
            active=lambda: self.engine.active,
            outbound=self.reached,
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

    async def reached(self) -> bool:
        """Tell whether store and scheduler are reached; then its own ports are open."""
        return self.watch.connected and await self.store.ping()


async def serve(settings: SidecarSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; StartError where a port or the component can't be used."""
    component = LiveComponent(settings.resources_path, settings.reader())
    rows = open_rows(component.store, profile(settings.profile))
    await run(Sidecar(settings, component, rows), stop)


async def run(sidecar: Sidecar, stop: asyncio.Event) -> None:
    """Run a sidecar until `stop` is set, and close it; StartError where a port can't be used.

    A loop in the background that fails ends it with that error: without it the sidecar would look
    well and take no jobs, or follow no edits.
    """
    settings = sidecar.settings
    try:
        listener = listen(
            settings.host, settings.http_port, prefix=ENV_PREFIX, port_name="HTTP_PORT"
        )
        # Only now: both settings may name one port.
        require_free(settings.host, settings.grpc_port, prefix=ENV_PREFIX, port_name="GRPC_PORT")
        async with (
            _grpc(sidecar),
            http_site(_http(sidecar), listener, grace_s=_GRACE_S),
            _background(sidecar, stop),
        ):
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


def _http(sidecar: Sidecar) -> web.Application:
    app = http_app(sidecar.served())
    app.add_routes(admin.routes(sidecar.faults))
    app.add_routes(inspection.routes(sidecar.inspection, sidecar.jobs.listed))
    app.add_routes(metrics.routes(sidecar.metrics.text))
    return app


@asynccontextmanager
async def _background(sidecar: Sidecar, stop: asyncio.Event) -> AsyncIterator[None]:
    loops: tuple[Coroutine[None, None, None], ...] = (
        sidecar.scheduler_stream.run(),
        sidecar.engine.sweep(),
        sidecar.component.follow(),
    )
    tasks = [asyncio.create_task(each) for each in loops]
    for each in tasks:
        each.add_done_callback(lambda task: stop.set() if _failure(task) else None)
    try:
        yield
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for each in tasks:
        if failure := _failure(each):
            raise failure


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


@asynccontextmanager
async def _grpc(sidecar: Sidecar) -> AsyncIterator[None]:
    settings = sidecar.settings
    server = grpc.aio.server(options=_GRPC_OPTIONS)
    service = SidecarService(sidecar.calls, sidecar.workers, sidecar.profile)
    service_grpc.add_TaskHubSidecarServiceServicer_to_server(  # type: ignore[no-untyped-call]
        service, server
    )
    server.add_generic_rpc_handlers((actor_calls(sidecar.reminders), UnknownMethods()))
    server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)
