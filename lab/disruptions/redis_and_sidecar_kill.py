"""`redis-and-sidecar-kill`: the public reproduction's own disruption.

SIGKILL the state store and the sidecar together, ten seconds of nothing, both back. The store has
no persistence: what it held is lost at once, with or without a TTL.
"""

from dataclasses import dataclass

from lab.clock import now_unix_ms
from lab.disruptions.base import DisruptionRecord
from lab.stack import RESTART_TIMEOUT_S, Stack
from lab.waiting import Waiter

OUTAGE_S = 10.0


@dataclass(frozen=True, slots=True)
class RedisAndSidecarKill:
    """A node that goes away with all that runs on it."""

    kind: str = "redis-and-sidecar-kill"
    summary: str = "SIGKILL Redis and the sidecar together, start both again ten seconds later"
    on_demand: bool = True
    loses_cache: bool = True

    def longest_s(self, ttl_s: int | None, outage_s: float | None = None) -> float:
        """Return the outage and the time that both may take to come back."""
        del ttl_s
        return (OUTAGE_S if outage_s is None else outage_s) + 2 * RESTART_TIMEOUT_S

    def apply(
        self, stack: Stack, waiter: Waiter, *, ttl_s: int | None, outage_s: float | None = None
    ) -> DisruptionRecord:
        """Kill both, wait, start the store and then the sidecar."""
        del ttl_s
        began = stack.kill("sidecar")
        gone = stack.kill("state_redis")
        try:
            away_s = OUTAGE_S if outage_s is None else outage_s
            waiter.watch_for(away_s, "Redis and the sidecar are away")
        finally:
            if not waiter.stopped.is_set():
                stack.restart("state_redis", waiter)
                stack.restart("sidecar", waiter)
        return DisruptionRecord(self.kind, began, gone, now_unix_ms())
