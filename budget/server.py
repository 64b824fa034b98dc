"""Serves the gateway with uvicorn: its own socket, bounded request heads, an orderly end."""

import asyncio
import signal
import sys
from types import FrameType
from typing import Final

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from budget.app import App
from budget.errors import StoreUnavailableError
from budget.settings import ENV_PREFIX, Settings
from budget.store.link import RedisLink
from budget.store.safety import check_safety
from metering.errors import PriceFileError
from metering.prices import PriceBook
from serving.errors import StartError
from serving.listener import listen

log = structlog.get_logger(__name__)

MAX_HEAD_BYTES: Final = 32 << 10
DRAIN_S: Final = 3


class HeadTooLargeError(Exception):
    """A request line and headers beyond MAX_HEAD_BYTES: the connection ends with a 400."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, which itself bounds no request head."""

    _head_bytes = 0

    def on_message_begin(self) -> None:
        """Start to count."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise HeadTooLargeError


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartError: A port that is taken, a price file that can't be used, an unsafe store.
    """
    try:
        prices = PriceBook(settings.price_file)
    except (PriceFileError, OSError) as error:
        raise StartError(f"BUDGET_PRICE_FILE: {error}") from None
    if not settings.allow_unsafe_store:
        asyncio.run(_check_store(settings.redis_url))
    listener = listen(settings.host, settings.port, prefix=ENV_PREFIX)
    config = uvicorn.Config(
        App(settings, prices),
        http=BoundedProtocol,
        ws="none",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    # uvicorn raises the signal again when it is done: this turns it into a normal end.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    log.info("listening", host=settings.host, port=settings.port, mode=settings.mode)
    uvicorn.Server(config).run(sockets=[listener])


async def _check_store(url: str) -> None:
    """Refuse an unsafe store; one that does not answer only keeps the gateway closed."""
    link = RedisLink(url)
    link.start()
    try:
        await check_safety(link)
    except StoreUnavailableError as error:
        log.warning("store_unavailable_at_start", reason=str(error))
    finally:
        await link.close()


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
