"""Serves the gateway with uvicorn: its own socket, bounded clients, an orderly end."""

import asyncio
import gc
import os
import signal
import sys
from functools import partial
from types import FrameType
from typing import Final

import structlog
import uvicorn

from budget.access.connections import BoundedProtocol, ClientLimits
from budget.access.policy import Auth, policy_of
from budget.app import App
from budget.errors import StoreUnavailableError
from budget.settings import ENV_PREFIX, Settings, unknown_variables
from budget.store.link import RedisLink
from budget.store.safety import check_safety
from metering.errors import PriceFileError
from metering.prices import PriceBook
from serving.errors import StartError
from serving.listener import listen

if sys.platform != "win32":
    import resource

log = structlog.get_logger(__name__)

DRAIN_S: Final = 3
SPARE_FILES: Final = 256
COLLECT_AFTER: Final = 50_000
"""New objects, less those that are gone, between two looks for cycles; Python's own 700 are there
every few calls under load."""


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartError: A port that is taken, a price file that can't be used, an unsafe store, a
            gateway that would be open to everybody.
    """
    policy = policy_of(settings)
    try:
        prices = PriceBook(settings.price_file)
    except (PriceFileError, OSError) as error:
        raise StartError(f"BUDGET_PRICE_FILE: {error}") from None
    if not settings.allow_unsafe_store:
        asyncio.run(_check_store(settings.redis_url))
    listener = listen(settings.host, settings.port, prefix=ENV_PREFIX)
    limits = ClientLimits(
        settings.max_connections, settings.head_timeout_s, settings.client_stall_s
    )
    _allow_files(2 * settings.max_connections + SPARE_FILES)
    config = uvicorn.Config(
        App(settings, prices, policy),
        http=partial(BoundedProtocol, limits=limits),  # type: ignore[arg-type]  # only called
        timeout_keep_alive=settings.keep_alive_s,
        ws="none",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    for name, meant in unknown_variables(os.environ).items():
        log.warning("unknown_setting", name=name, did_you_mean=meant)
    # uvicorn raises the signal again when it is done: this turns it into a normal end.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    log.info(
        "listening",
        host=settings.host,
        port=settings.port,
        mode=settings.mode,
        auth=policy.auth.value,
    )
    if policy.auth is Auth.NONE and settings.allow_anyone:
        log.warning("open_to_anyone", accepted_by="BUDGET_ALLOW_ANYONE", host=settings.host)
    _spare_the_collector()
    uvicorn.Server(config).run(sockets=[listener])


def _spare_the_collector() -> None:
    """Let the garbage collector pass over what lives as long as the process, and look less often.

    Calls leave hardly any cycles; those that there are it still finds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _allow_files(needed: int) -> None:
    """Raise the process's own bound on open files as far as it may be raised."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        log.warning("few_open_files", allowed=most, may_need=needed)


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
