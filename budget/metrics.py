"""Prometheus metrics. No instance id is ever a label; amounts are for graphs, the ledger is exact.

What the store counts (spend, reserved, limit) is read from it at each scrape, so every replica on
one store shows the same value: take their maximum, not their sum.
"""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from budget.reservations import Expired, ScopeState
from budget.scopes import GLOBAL, Limits, ScopeKind

_DECISION_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class _Spend(Collector):
    """The global spend as the store last told it."""

    def __init__(self) -> None:
        self.nano_usd = 0

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(
            "budget_spend_nano_usd", "Spent, from the store.", labels=["scope_kind"]
        )
        family.add_metric([ScopeKind.GLOBAL], self.nano_usd)
        yield family


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self.registry = CollectorRegistry()
        self._spend = _Spend()
        self.registry.register(self._spend)
        self._reserved = Gauge(
            "budget_reserved_nano_usd",
            "Held by calls in flight, from the store.",
            ["scope_kind"],
            registry=self.registry,
        )
        self._limit = Gauge(
            "budget_limit_nano_usd",
            "Limit in force, where there is one.",
            ["scope_kind"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "budget_decisions",
            "Calls decided.",
            ["decision", "code", "scope_kind"],
            registry=self.registry,
        )
        self.decision_seconds = Histogram(
            "budget_decision_seconds",
            "Time that the store took to admit or refuse a call.",
            buckets=_DECISION_BUCKETS,
            registry=self.registry,
        )
        self._expired = Counter(
            "budget_hold_expired", "Holds that nobody closed.", ["as"], registry=self.registry
        )
        self.overshoot = Gauge(
            "budget_overshoot_nano_usd",
            "Cost above the reservations, in all.",
            registry=self.registry,
        )
        self.estimated = Counter(
            "budget_estimated_settlements",
            "Calls charged at their worst case because their cost was not told.",
            registry=self.registry,
        )
        self.replays = Counter(
            "budget_replays", "Calls answered from the store.", registry=self.registry
        )
        self._trips = Counter(
            "budget_trips",
            "Kills, resumes, zombies and stops at the source, by this gateway.",
            ["kind"],
            registry=self.registry,
        )
        self.store_up = Gauge(
            "budget_store_up", "1 while calls can be let through.", registry=self.registry
        )

    def decided(self, decision: str, code: str, scope_kind: str) -> None:
        """Count one decision."""
        self._decisions.labels(decision, code, scope_kind).inc()

    def tripped(self, kind: str) -> None:
        """Count a kill, a resume, a zombie or the end of a stop at the source."""
        self._trips.labels(kind).inc()

    def expired(self, holds: Iterable[Expired]) -> None:
        """Count holds that expired."""
        for hold in holds:
            self._expired.labels("spent" if hold.state == "EXPIRED_SPENT" else "released").inc()

    def set_limits(self, limits: Limits) -> None:
        """Show the limits in force."""
        for kind, limit in (
            (ScopeKind.GLOBAL, limits.of(GLOBAL).limit_nano_usd),
            (ScopeKind.INSTANCE, limits.enforced(ScopeKind.INSTANCE)),
        ):
            if limit is not None:
                self._limit.labels(kind).set(limit)

    def render(self, total: ScopeState | None) -> bytes:
        """Return the exposition text; without a store its last values stay."""
        if total is not None:
            self._spend.nano_usd = total.totals.spent
            self._reserved.labels(ScopeKind.GLOBAL).set(total.totals.reserved)
        return generate_latest(self.registry)
