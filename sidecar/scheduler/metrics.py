"""What the scheduler counts, under the names, labels, units and bounds that Dapr gives them.

All from Dapr's source (`pkg/scheduler/monitoring` of 1.16.1), not recorded. What 1.18.3 has beyond
that (deleted jobs, refused ones, errors of streams, limits of concurrency) is not counted.
"""

import time
from collections.abc import Callable

from sidecar.exposition import Counter, Gauge, Histogram, text
from sidecar.scheduler.board import Delivery
from sidecar.scheduler.jobs import Job
from sidecar.scheduler.keys import SEPARATOR

BOUNDS_MS = (100, 500, 1_000, 5_000, 10_000)
_LABELS = ("type",)
_REMINDER = f"actorreminder{SEPARATOR}"


class Metrics:
    """All metrics of one scheduler.

    Args:
        streams: Counts the sidecars that watch.
    """

    def __init__(self, streams: Callable[[], int]) -> None:
        self._streams = Gauge("dapr_scheduler_sidecars_connected", "Sidecars that watch.", streams)
        self._created = Counter(
            "dapr_scheduler_jobs_created_total", "Jobs that were scheduled.", _LABELS
        )
        self._triggered = Counter(
            "dapr_scheduler_jobs_triggered_total", "Deliveries that succeeded.", _LABELS
        )
        self._failed = Counter(
            "dapr_scheduler_jobs_failed_total", "Deliveries that failed.", _LABELS
        )
        self._undelivered = Counter(
            "dapr_scheduler_jobs_undelivered_total", "Due jobs that nobody took.", _LABELS
        )
        self._latency_ms = Histogram(
            "dapr_scheduler_trigger_latency", "From delivery to answer, ms.", _LABELS, BOUNDS_MS
        )
        counters = (self._created, self._triggered, self._failed, self._undelivered)
        self.all = (self._streams, *counters, self._latency_ms)
        # What is out: at most one delivery a job.
        self._sent_ns: dict[tuple[int, int], int] = {}

    def text(self) -> str:
        """Write all of them."""
        return text(self.all)

    def created(self, job: Job) -> None:
        """Count a stored job."""
        self._created.count(_type(job))

    def undelivered(self, job: Job) -> None:
        """Count a due job that nobody takes, or whose stream ended before the answer."""
        self._undelivered.count(_type(job))

    def sent(self, delivery: Delivery) -> None:
        """Take the time of a delivery."""
        self._sent_ns[delivery.stream_id, delivery.delivery_id] = time.monotonic_ns()

    def answered(self, stream_id: int, delivery_id: int, job: Job | None, *, success: bool) -> None:
        """Count what a delivery came to, though its job is no more; None where none was out."""
        sent_ns = self._sent_ns.pop((stream_id, delivery_id), None)
        if sent_ns is None or job is None:
            return
        kind = _type(job)
        (self._triggered if success else self._failed).count(kind)
        self._latency_ms.observe((time.monotonic_ns() - sent_ns) // 1_000_000, kind)

    def closed(self, stream_id: int) -> None:
        """Forget the deliveries of a stream that has ended."""
        for each in [each for each in self._sent_ns if each[0] == stream_id]:
            del self._sent_ns[each]


def _type(job: Job) -> str:
    return "actor" if job.key.startswith(_REMINDER) else "job"
