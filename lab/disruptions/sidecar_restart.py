"""`sidecar-restart`: once the state has expired under the running workflows, a short restart.

The sidecar is back before the activities in flight have ended. Up to Dapr 1.16.1 their late
results start another chain of executions beside the first (recorded on real daprd).
"""

from dataclasses import dataclass

from lab.clock import now_unix_ms
from lab.disruptions.base import DisruptionRecord
from lab.disruptions.expiry import EXPIRY_MARGIN_S, require_ttl, wait_until_expired
from lab.errors import DeadlineError
from lab.stack import RESTART_TIMEOUT_S, Stack
from lab.waiting import Waiter


@dataclass(frozen=True, slots=True)
class SidecarRestart:
    """A short restart, as of a deployment: only the sidecar's memory is lost by it."""

    kind: str = "sidecar-restart"
    summary: str = "once no workflow has a key left in Redis, SIGKILL the sidecar, start it at once"
    on_demand: bool = True
    loses_cache: bool = True

    def longest_s(self, ttl_s: int | None, outage_s: float | None = None) -> float:
        """Return the time that the state may take to expire and the sidecar to come back."""
        return (ttl_s or 0) + EXPIRY_MARGIN_S + (outage_s or 0) + RESTART_TIMEOUT_S

    def apply(
        self, stack: Stack, waiter: Waiter, *, ttl_s: int | None, outage_s: float | None = None
    ) -> DisruptionRecord:
        """Wait for the TTL, kill, restart, wait until ready."""
        timeout_s = require_ttl(self.kind, ttl_s) + EXPIRY_MARGIN_S
        try:
            port = stack.config.ports.state_redis
            gone = wait_until_expired(port, waiter, timeout_s=timeout_s)
        except DeadlineError as error:
            raise DeadlineError(
                f"{error}: a workflow that goes on writes its state anew, so its calls must take "
                "longer than the TTL"
            ) from error
        began = stack.kill("sidecar")
        try:
            waiter.watch_for(outage_s or 0, "the sidecar is away")
        finally:
            if not waiter.stopped.is_set():
                stack.restart("sidecar", waiter)
        return DisruptionRecord(self.kind, began, gone, now_unix_ms())
