"""Cuts the stream of due jobs between sidecar and scheduler.

What is out on it goes back to the scheduler with no attempt used, and is delivered again on the
next stream, while the first execution still runs. Calls to the scheduler go through meanwhile.
"""

from collections.abc import Callable
from typing import ClassVar

from sidecar.faults.base import Effect, Fault, Parts


class CutSchedulerStream(Fault):
    """Cut the stream; it is opened again at once, or after the duration."""

    kind: ClassVar[str] = "cut_scheduler_stream"

    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:  # noqa: ARG002 - lifted
        """Cut it."""
        hits = int(parts.link.cut())
        lasts = self.duration_s is not None
        if not lasts:
            parts.link.join()
        return Effect(lift=parts.link.join, hits=hits, lasts=lasts)
