"""Runs the scheduler: binds both ports, serves until it is told to stop, closes the disk last."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import structlog

from scheduler_api.proto import scheduler_pb2_grpc as pb_grpc
from serving.http import http_site
from serving.listener import listen, require_free
from sidecar.profiles import profile
from sidecar.proto import link_pb2_grpc
from sidecar.scheduler.admin import admin_app
from sidecar.scheduler.dispatcher import Dispatcher
from sidecar.scheduler.link import LinkService
from sidecar.scheduler.service import SchedulerService
from sidecar.scheduler.settings import ENV_PREFIX, SchedulerSettings
from sidecar.scheduler.store import JobStore

_LOG = structlog.get_logger()
_GRACE_S = 1.0
# A sidecar takes 64 MiB from an app; a job holds that and its address, and a batch a little more.
_LONGEST_MESSAGE_BYTES = 72 * 1024 * 1024
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
    listener = listen(settings.host, settings.http_port, prefix=ENV_PREFIX, port_name="HTTP_PORT")
    # gRPC reports a taken port in a line of its own, which tells an operator nothing. Checked after
    # the other one is open, since both settings may name one port.
    require_free(settings.host, settings.port, prefix=ENV_PREFIX)
    store = JobStore(settings.data_dir)
    try:
        dispatcher = Dispatcher(store, profile(settings.profile), max_jobs=settings.max_jobs)
        dispatcher.start()
        async with (
            _grpc(settings, dispatcher),
            http_site(admin_app(dispatcher), listener, grace_s=_GRACE_S),
        ):
            _LOG.info(
                "scheduler ready",
                profile=settings.profile,
                grpc=f"{settings.host}:{settings.port}",
                http=f"{settings.host}:{settings.http_port}",
            )
            await stop.wait()
            _LOG.info("scheduler stops")
            dispatcher.stop()
    finally:
        await store.close()


@asynccontextmanager
async def _grpc(settings: SchedulerSettings, dispatcher: Dispatcher) -> AsyncIterator[None]:
    server = grpc.aio.server(options=_GRPC_OPTIONS)
    pb_grpc.add_SchedulerServicer_to_server(  # type: ignore[no-untyped-call]  # generated
        SchedulerService(dispatcher), server
    )
    link_pb2_grpc.add_LinkServicer_to_server(  # type: ignore[no-untyped-call]  # generated
        LinkService(dispatcher), server
    )
    server.add_insecure_port(f"{settings.host}:{settings.port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_S)
