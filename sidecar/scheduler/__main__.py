"""`python -m sidecar.scheduler`: settings from `SCHEDULER_…`, JSON lines on standard error."""

import gc

import uvloop

from serving.errors import StartError, refuse
from serving.logs import configure_logs
from serving.settings import read_settings
from serving.signals import stop_on_signals
from sidecar.scheduler.server import serve
from sidecar.scheduler.settings import SchedulerSettings

_COLLECTED_FROM = 50_000


def main() -> None:
    """Run until SIGTERM or SIGINT; 2 when the scheduler can't start."""
    configure_logs()
    # What is made for a message goes without the collector; what stays is much to look through.
    gc.set_threshold(_COLLECTED_FROM)
    try:
        uvloop.run(_run(read_settings(SchedulerSettings)))
    except StartError as error:
        refuse("sidecar.scheduler", error)


async def _run(settings: SchedulerSettings) -> None:
    await serve(settings, stop_on_signals())


if __name__ == "__main__":
    main()
