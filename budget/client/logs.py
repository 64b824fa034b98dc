"""Log lines of the budget's parts in somebody else's process."""

import structlog


def log_by_logging() -> None:
    """Send structlog's lines to the standard library's loggers, unless the app has set it up.

    Its default would write them to the app's standard output.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
