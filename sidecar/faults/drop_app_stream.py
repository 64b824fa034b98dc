"""Cuts the stream of work items between sidecar and app, as a broken connection does.

An activity in flight counts as failed ("aborting activity execution"), and its execution in the
app runs on. With the last stream the memory of all workflows goes. The SDK connects again by
itself; with a duration its new stream gets nothing until the fault is lifted.
"""

from collections.abc import Callable
from typing import ClassVar, Self

from pydantic import model_validator

from sidecar.faults.base import Effect, Fault, Parts, StreamNumber


class DropAppStream(Fault):
    """Drop the streams of the app's workers.

    Attributes:
        stream: The number of the one stream that is dropped; None: all.
        duration_s: Keeps out new streams for so long; only with all.
    """

    kind: ClassVar[str] = "drop_app_stream"
    stream: StreamNumber | None = None

    @model_validator(mode="after")
    def _keeps_out_all(self) -> Self:
        if self.stream is not None and self.duration_s is not None:
            raise ValueError("give either stream or duration_s")
        return self

    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:  # noqa: ARG002 - lifted
        """Drop them, and keep new ones out for the duration."""
        lasts = self.duration_s is not None
        if lasts:
            parts.workers.keep_out()
        return Effect(lift=parts.workers.admit, hits=parts.workers.drop(self.stream), lasts=lasts)
