"""What the libraries may say in the app's logs."""

import logging
from typing import Final

from dapr.ext.workflow.logger import LoggerOptions

LEVELS: Final = {
    "durabletask-worker": logging.WARNING,
    "durabletask-client": logging.WARNING,
    # It logs each failed activity; the executions feed has them.
    "WorkflowRuntime": logging.ERROR,
    # Its errors reach the caller as exceptions; a poll would log one a second.
    "DaprWorkflowClient": logging.CRITICAL,
    "httpx": logging.WARNING,
    "uvicorn": logging.WARNING,
}


def sdk_logger_options() -> LoggerOptions:
    """Return options with which the Dapr SDK writes through the root logger alone."""
    # The SDK adds a handler to this logger with every client and never takes one away.
    logging.getLogger("durabletask-client").handlers.clear()
    return LoggerOptions(log_handler=logging.NullHandler())
