"""Counts who is not let in, and tells the log: a line each ten seconds at most.

Nothing that a caller chose is a label or is logged, no key and no name: whoever is refused without
end fills nothing.
"""

import asyncio
from collections import Counter
from typing import Final

import structlog

from budget.calls.refusals import Refusal
from budget.metrics import Metrics

log = structlog.get_logger(__name__)

ROUND_S: Final = 10.0
NO_SCOPE: Final = "none"
"""As `scope_kind` in the metrics: it was refused before any scope was asked."""

_STATUSES: Final = frozenset({401, 403})


class Denials:
    """Takes note of refusals for want of a key or a right.

    Args:
        metrics: Where they are counted.
        round_s: How long the log is spared after a line.
    """

    def __init__(self, metrics: Metrics, round_s: float = ROUND_S) -> None:
        self._metrics = metrics
        self._round_s = round_s
        self._untold: Counter[str] = Counter()
        self._is_waiting = False

    def note(self, refusal: Refusal) -> None:
        """Count a 401 or 403; the first of a round is told at once, the others together."""
        if refusal.status not in _STATUSES:
            return
        code = refusal.code or refusal.type
        self._metrics.decided("deny", code, NO_SCOPE)
        self._untold[code] += 1
        if not self._is_waiting:
            self._tell()

    def _tell(self) -> None:
        self._is_waiting = bool(self._untold)
        if self._is_waiting:
            log.warning("access_denied", **self._untold)
            self._untold.clear()
            asyncio.get_running_loop().call_later(self._round_s, self._tell)
