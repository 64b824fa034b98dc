"""Prometheus metrics; no label ever holds an instance id."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class _InstancesByStatus(Collector):
    """Counts the remembered instances at the moment of the scrape."""

    def __init__(self, count: Callable[[], dict[tuple[str, str], int]]) -> None:
        self._count = count

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "workflow_app_instances",
            "Remembered instances by what the engine said last",
            labels=["workflow", "status"],
        )
        for (workflow, status), count in sorted(self._count().items()):
            family.add_metric([workflow, status], count)
        yield family


class Metrics:
    """The app's metrics in a registry of their own."""

    def __init__(self, count_instances: Callable[[], dict[tuple[str, str], int]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_InstancesByStatus(count_instances))
        self._started = Counter(
            "workflow_app_workflows_started_total",
            "Workflows that the engine accepted",
            ["workflow"],
            registry=self._registry,
        )
        self._executions = Counter(
            "workflow_app_activity_executions_total",
            "Executions of activities that have ended",
            ["workflow", "activity", "outcome"],
            registry=self._registry,
        )
        self._repeated = Counter(
            "workflow_app_activity_repeated_executions_total",
            "Executions of a task that this process had executed before",
            ["workflow", "activity"],
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "workflow_app_activity_executions_in_flight",
            "Executions of activities that run",
            ["workflow", "activity"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "workflow_app_activity_execution_seconds",
            "How long executions of activities took",
            ["workflow", "activity"],
            registry=self._registry,
        )
        self._connected = Gauge(
            "workflow_app_sidecar_connected",
            "1 while the sidecar can be reached",
            registry=self._registry,
        )

    def started(self, workflow: str) -> None:
        """Count a started workflow."""
        self._started.labels(workflow).inc()

    @contextmanager
    def in_flight(self, workflow: str, activity: str) -> Iterator[None]:
        """Count and time an execution of an activity."""
        with (
            self._in_flight.labels(workflow, activity).track_inprogress(),
            self._seconds.labels(workflow, activity).time(),
        ):
            yield

    def ended(self, workflow: str, activity: str, outcome: str, *, repeated: bool) -> None:
        """Count an ended execution of an activity."""
        self._executions.labels(workflow, activity, outcome).inc()
        if repeated:
            self._repeated.labels(workflow, activity).inc()

    def sidecar(self, *, connected: bool) -> None:
        """Note whether the sidecar can be reached."""
        self._connected.set(connected)

    def text(self) -> bytes:
        """Return the exposition format."""
        return generate_latest(self._registry)
