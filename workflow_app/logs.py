"""Structured logs: one JSON object a line on standard error, the libraries' included."""

import logging
import sys
from typing import Final

import structlog
from dapr.ext.workflow.logger import LoggerOptions

_LEVEL_OF_LIBRARY: Final = {
    "durabletask-worker": logging.WARNING,
    "durabletask-client": logging.WARNING,
    # It logs each failed activity; the executions feed has them.
    "WorkflowRuntime": logging.ERROR,
    # Its errors reach the caller as exceptions; a poll would log one a second.
    "DaprWorkflowClient": logging.CRITICAL,
    "httpx": logging.WARNING,
    "uvicorn": logging.WARNING,
}


def configure_logs() -> None:
    """Send structlog's and the standard library's records through one JSON renderer."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in _LEVEL_OF_LIBRARY.items():
        logging.getLogger(name).setLevel(level)


def sdk_logger_options() -> LoggerOptions:
    """Return options with which the Dapr SDK writes through the root logger alone."""
    # The SDK adds a handler to this logger with every client and never takes one away.
    logging.getLogger("durabletask-client").handlers.clear()
    return LoggerOptions(log_handler=logging.NullHandler())
