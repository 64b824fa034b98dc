"""`python -m workflow_app`: runs the app until SIGTERM or SIGINT, and then ends within seconds.

The SDK's worker has threads that can't be interrupted, such as one that waits for a sidecar's
answer. After the graceful part the process therefore ends with `os._exit`: what was in flight is
delivered again by the engine, as after any crash.
"""

import logging
import os
import signal
import sys
import threading
from typing import Final, NoReturn

import uvicorn
from prometheus_client import disable_created_metrics

from serving.errors import StartError, refuse
from serving.listener import listen
from serving.logs import configure_logs
from serving.settings import read_settings
from workflow_app.app import create_app
from workflow_app.logs import LEVELS
from workflow_app.settings import PREFIX, Settings

CONNECTIONS_TIMEOUT_S: Final = 1
LAST_RESORT_S: Final = 4.0


def main() -> NoReturn:
    """Run the app; exit 0 after a signal, 2 when it can't start."""
    try:
        settings = read_settings(Settings)
        listener = listen(settings.host, settings.port, prefix=PREFIX)
    except StartError as error:
        refuse("workflow_app", error)
    configure_logs(LEVELS)
    disable_created_metrics()  # type: ignore[no-untyped-call] # not annotated
    server = _Server(
        uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=CONNECTIONS_TIMEOUT_S,
        )
    )
    # Uvicorn raises the signal again once it has shut down; without handlers of ours the process
    # would end by the signal and not with code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _leave(0))
    server.run(sockets=[listener])
    _leave(0 if server.started else 2)


class _Server(uvicorn.Server):
    """Ends the process should the graceful shutdown take too long."""

    def handle_exit(self, sig: int, frame: object) -> None:
        last_resort = threading.Timer(LAST_RESORT_S, _leave, args=(0,))
        last_resort.daemon = True
        last_resort.start()
        super().handle_exit(sig, frame)  # type: ignore[arg-type] # uvicorn wants FrameType | None


def _leave(code: int) -> NoReturn:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
