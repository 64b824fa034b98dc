"""`python -m fake_llm`: serve until SIGTERM or SIGINT; exit 2 with one line on a bad setting."""

import gc
import logging
import signal
import sys
from types import FrameType
from typing import Final, NoReturn

import structlog
import uvicorn

from fake_llm.app import create_app
from fake_llm.settings import ENV_PREFIX, FakeLlmSettings
from metering.errors import PriceFileError
from serving.errors import StartError, refuse
from serving.listener import listen
from serving.logs import configure_logs
from serving.settings import read_settings

GRACE_S: Final = 3
"""How long calls in flight may go on after SIGTERM."""


def main() -> None:
    """Run the service."""
    try:
        settings = read_settings(FakeLlmSettings)
        app = create_app(settings)
        listener = listen(settings.host, settings.port, prefix=ENV_PREFIX)
    except PriceFileError as error:
        refuse("fake_llm", StartError(f"{ENV_PREFIX}PRICE_FILE: {error}"))
    except StartError as error:
        refuse("fake_llm", error)
    configure_logs({"uvicorn": logging.WARNING, "asyncio": logging.WARNING})
    # Prices and tokenizers live as long as the process: no collection need look at them again.
    gc.freeze()
    log = structlog.get_logger("fake_llm")
    # Once it has ended in order, uvicorn raises the signal again for whoever stood there before.
    signal.signal(signal.SIGTERM, _exit_cleanly)
    signal.signal(signal.SIGINT, _exit_cleanly)
    config = uvicorn.Config(
        app,
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    log.info("listening", host=settings.host, port=settings.port)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        log.info("stopped")


def _exit_cleanly(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
