"""`python -m sidecar.scheduler`: settings from `SCHEDULER_…`, JSON lines on standard error."""

import asyncio
import signal
import sys

import structlog

from sidecar.scheduler.errors import StartError
from sidecar.scheduler.server import serve
from sidecar.scheduler.settings import SchedulerSettings, read_settings


def main() -> int:
    """Run until SIGTERM or SIGINT; 2 when the scheduler can't start."""
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
        asyncio.run(_run(read_settings()))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _run(settings: SchedulerSettings) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await serve(settings, stop)


if __name__ == "__main__":
    sys.exit(main())
