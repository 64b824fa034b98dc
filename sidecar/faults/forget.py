"""Takes the memory of workflows, as a placement rebalance does that moves their actors.

What is in flight is given up: a turn is taken again, and the job of an activity fails and comes
again a second later, while its execution in the app runs on; on 1.18.3 it joins that execution. The
state store is not touched, and is read at the next event. From Dapr's source, not recorded;
recorded is the same loss at a restart or a reconnect, and the log lines at SIGTERM.
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
            joined = parts.profile.running_execution_joined
            parts.workers.cancel(self.instance, activities=not joined)
        return Effect(hits=hits, lasts=False)
