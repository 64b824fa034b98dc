"""Holds back work items on their way to the app, as a stalled connection does; none is lost.

The streams stay open. What was held is handed out in its order when the fault is lifted.
"""

from collections.abc import Callable
from typing import ClassVar

from sidecar.faults.base import Effect, Fault, Parts, StreamNumber
from sidecar.workers import Hold


class StallAppStream(Fault):
    """Stall the streams of the app's workers; a hit is an item or an answer that is held.

    Attributes:
        stream: The number of the one stream that is stalled; None: all, and those to come.
        answers: The app's answers wait as well.
    """

    kind: ClassVar[str] = "stall_app_stream"
    stream: StreamNumber | None = None
    answers: bool = False

    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:  # noqa: ARG002 - lifted
        """Hold back."""
        effect = Effect(lift=parts.workers.release)
        parts.workers.hold(Hold(self.stream, self.answers, effect.hit))
        return effect
