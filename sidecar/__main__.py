"""`python -m sidecar`: settings from `SIDECAR_…`, JSON lines on standard error."""

import asyncio
import signal
import sys

import structlog
import uvloop

from sidecar.errors import ConfigError
from sidecar.server import serve
from sidecar.settings import SidecarSettings, load_settings


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 when the sidecar can't start."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    try:
        uvloop.run(_run(load_settings()))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _run(settings: SidecarSettings) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await serve(settings, stop)


if __name__ == "__main__":
    sys.exit(main())
