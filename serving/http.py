"""A small aiohttp site beside a service's main port."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def http_site(
    app: web.Application, listener: socket.socket, *, grace_s: float
) -> AsyncIterator[None]:
    """Serve `app` on a listening socket until the block ends; open requests get `grace_s`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=grace_s)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
        listener.close()
