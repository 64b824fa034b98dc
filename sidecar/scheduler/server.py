"""Runs the scheduler: binds both ports, serves until it is told to stop, closes the disk last."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import structlog
from aiohttp import web

from scheduler_api.proto import scheduler_pb2_grpc as pb_grpc
from serving.listener import require_free
from sidecar.profiles import profile
from sidecar.scheduler.admin import admin_app
from sidecar.scheduler.dispatcher import Dispatcher
from sidecar.scheduler.service import SchedulerService
from sidecar.scheduler.settings import SchedulerSettings
from sidecar.scheduler.store import JobStore

_LOG = structlog.get_logger()
_GRACE_S = 1.0
HOST_SETTING = "SCHEDULER_HOST"
_LONGEST_MESSAGE_BYTES = 16 * 1024 * 1024
_GRPC_OPTIONS = [
    # Two schedulers on one port would share its calls silently.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE_BYTES),
    # A sidecar may schedule thousands of jobs at once; from 1000 on gRPC cancels some by default.
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    # A sidecar pings to keep its watch alive; by default that is answered with GOAWAY.
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.http2.max_ping_strikes", 0),
]


async def serve(settings: SchedulerSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; StartError where a port or the data directory can't be used."""
    # gRPC reports a taken port in a line of its own, which tells an operator nothing.
    require_free(
        settings.host, settings.port, host_setting=HOST_SETTING, port_setting="SCHEDULER_PORT"
    )
    require_free(
        settings.host,
        settings.http_port,
        host_setting=HOST_SETTING,
        port_setting="SCHEDULER_HTTP_PORT",
    )
    store = JobStore(settings.data_dir)
    try:
        dispatcher = Dispatcher(store, profile(settings.profile), max_jobs=settings.max_jobs)
        dispatcher.start()
        async with _grpc(settings, dispatcher), _http(settings, dispatcher):
            _LOG.info(
                "scheduler ready",
                profile=settings.profile,
                grpc=f"{settings.host}:{settings.port}",
                http=f"{settings.host}:{settings.http_port}",
            )
            await stop.wait()
            _LOG.info("scheduler stops")
            await dispatcher.stop()
    finally:
        await store.close()


@asynccontextmanager
async def _grpc(settings: SchedulerSettings, dispatcher: Dispatcher) -> AsyncIterator[None]:
    server = grpc.aio.server(options=_GRPC_OPTIONS)
    pb_grpc.add_SchedulerServicer_to_server(  # type: ignore[no-untyped-call]  # generated
        SchedulerService(dispatcher), server
    )
    server.add_insecure_port(f"{settings.host}:{settings.port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)


@asynccontextmanager
async def _http(settings: SchedulerSettings, dispatcher: Dispatcher) -> AsyncIterator[None]:
    runner = web.AppRunner(admin_app(dispatcher), access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.http_port).start()
        yield
    finally:
        await runner.cleanup()
