"""`none`: nothing happens but time, so that only the TTL is at work."""

from dataclasses import dataclass

from lab.clock import now_unix_ms
from lab.disruptions.base import DisruptionRecord
from lab.stack import Stack
from lab.waiting import Waiter


@dataclass(frozen=True, slots=True)
class Nothing:
    """The control: state expires under a sidecar that keeps its memory."""

    kind: str = "none"
    summary: str = "nothing; the state expires while the sidecar lives"
    on_demand: bool = False
    loses_cache: bool = False

    def longest_s(self, ttl_s: int | None, outage_s: float | None = None) -> float:
        """Return no time at all."""
        del ttl_s, outage_s
        return 0.0

    def apply(
        self, stack: Stack, waiter: Waiter, *, ttl_s: int | None, outage_s: float | None = None
    ) -> DisruptionRecord:
        """Note the time."""
        del stack, waiter, ttl_s, outage_s
        now = now_unix_ms()
        return DisruptionRecord(self.kind, now, None, now)
