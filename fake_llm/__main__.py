"""`python -m fake_llm`: serve until SIGTERM or SIGINT; exit 2 with one line on a bad setting."""

import gc
import signal
import socket
import sys
from types import FrameType
from typing import Final, NoReturn

import structlog
import uvicorn
from pydantic import ValidationError

from fake_llm.app import create_app
from fake_llm.errors import StartupError
from fake_llm.logs import configure_logs
from fake_llm.settings import ENV_PREFIX, FakeLlmSettings
from metering.errors import PriceFileError

GRACE_S: Final = 3
"""How long calls in flight may go on after SIGTERM."""

USAGE_ERROR: Final = 2


def main() -> None:
    """Run the service."""
    try:
        settings = _read_settings()
        app = create_app(settings)
        listener = _listen(settings.host, settings.port)
    except PriceFileError as error:
        _refuse(f"{ENV_PREFIX}PRICE_FILE: {error}")
    except StartupError as error:
        _refuse(str(error))
    configure_logs()
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


def _read_settings() -> FakeLlmSettings:
    try:
        return FakeLlmSettings()
    except ValidationError as error:
        problems = [
            f"{ENV_PREFIX}{problem['loc'][0]}".upper() + f": {problem['msg']}"
            for problem in error.errors()
        ]
        raise StartupError("; ".join(problems)) from None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"can't listen on port {port} of {host}: {error.strerror}; choose another with "
            f"{ENV_PREFIX}PORT"
        ) from None
    return listener


def _exit_cleanly(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _refuse(line: str) -> NoReturn:
    sys.stderr.write(f"fake_llm: {line}\n")
    sys.exit(USAGE_ERROR)


if __name__ == "__main__":
    main()
