"""Whether the store may be asked: open only while its last answer could be trusted."""

import asyncio

import structlog

from budget.errors import StoreUnavailableError
from budget.metrics import Metrics

log = structlog.get_logger(__name__)


class Gate:
    """Closed at first, and whenever the store fails; only a successful check opens it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._reason: str | None = "the store was not reached yet"
        self.closed = asyncio.Event()
        self.closed.set()
        metrics.store_up.set(0)

    @property
    def reason(self) -> str | None:
        """Why it is closed, None when it is open."""
        return self._reason

    def check(self) -> None:
        """Raise StoreUnavailableError while closed."""
        if self._reason is not None:
            raise StoreUnavailableError(self._reason)

    def open(self) -> None:
        """Let calls through."""
        if self._reason is not None:
            log.info("store_open", was=self._reason)
        self._reason = None
        self.closed.clear()
        self._metrics.store_up.set(1)

    def close(self, cause: Exception) -> None:
        """Let no call through until the store is checked again."""
        reason = str(cause) or type(cause).__name__
        if self._reason != reason:
            log.error("store_closed", reason=reason)
        self._reason = reason
        self.closed.set()
        self._metrics.store_up.set(0)
