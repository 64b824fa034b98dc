"""`sidecar-kill`: SIGKILL the sidecar, let the workflows' state expire, start it again."""

from dataclasses import dataclass

from lab.clock import now_unix_ms
from lab.disruptions.base import DisruptionRecord
from lab.disruptions.expiry import EXPIRY_MARGIN_S, require_ttl, wait_until_expired
from lab.stack import RESTART_TIMEOUT_S, Stack
from lab.waiting import Waiter


@dataclass(frozen=True, slots=True)
class SidecarKill:
    """The incident: the sidecar's memory and the stored state are both gone."""

    kind: str = "sidecar-kill"
    summary: str = "SIGKILL the sidecar, start it again once no workflow has a key left in Redis"
    on_demand: bool = True
    loses_cache: bool = True

    def longest_s(self, ttl_s: int | None, outage_s: float | None = None) -> float:
        """Return the time that the state may take to expire and the sidecar to come back."""
        return max((ttl_s or 0) + EXPIRY_MARGIN_S, outage_s or 0) + RESTART_TIMEOUT_S

    def apply(
        self, stack: Stack, waiter: Waiter, *, ttl_s: int | None, outage_s: float | None = None
    ) -> DisruptionRecord:
        """Kill, wait for the TTL and the rest of the outage, restart, wait until ready."""
        timeout_s = require_ttl(self.kind, ttl_s) + EXPIRY_MARGIN_S
        began = stack.kill("sidecar")
        try:
            port = stack.config.ports.state_redis
            gone = wait_until_expired(port, waiter, timeout_s=timeout_s)
            away_s = (now_unix_ms() - began) / 1000
            waiter.watch_for((outage_s or 0) - away_s, "the sidecar is away")
        finally:
            if not waiter.stopped.is_set():
                stack.restart("sidecar", waiter)
        return DisruptionRecord(self.kind, began, gone, now_unix_ms())
