"""Takes the memory of workflows, as a placement rebalance does that moves their actors.

What is in flight is given up: the job of an activity fails and comes again a second later, while
its execution in the app runs on. The state store is not touched, and is read at the next event.
From Dapr's source, not recorded; recorded is the same loss at a restart or a reconnect.
"""

from collections.abc import Callable
from typing import ClassVar

from sidecar.faults.base import Effect, Fault, InstanceId, Parts


class Forget(Fault):
    """Forget workflows; a hit is an instance that was in memory.

    Attributes:
        instance: The one that is forgotten; None: all.
        in_flight: Give up what is in flight too; false leaves it running, as a rebalance does
            that waits for it to end.
        duration_s: None; it is over at once.
    """

    kind: ClassVar[str] = "forget"
    instance: InstanceId | None = None
    in_flight: bool = True
    duration_s: None = None

    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:  # noqa: ARG002 - at once
        """Forget them."""
        hits = parts.forget(self.instance)
        if self.in_flight:
            parts.workers.abort(self.instance)
        return Effect(hits=hits, lasts=False)
