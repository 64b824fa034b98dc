"""Prometheus metrics. No instance id is ever a label; amounts are for graphs, the ledger is exact.

A sample is a double: amounts are exact up to 2^53 nano-dollars (about $9,007,199), and beyond it
rounded to at most 1 part in 2^53. No limit is above $9,000,000; what is spent without one may be.

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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from budget.caller import Caller
from budget.limits import Rulebook
from budget.reservations import Expired, ScopeState, ScopeTotals
from budget.scopes import Limits, Scope, ScopeKind
from metering.identity import CallerIdentity
from metering.money import NanoUsd

_NO_ID = "\0"
"""No scope's id: what holds for it is what holds for each of its kind."""

_NOBODY = Caller(CallerIdentity(workflow=_NO_ID))
_DECISION_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class _OfStore(Collector):
    """What the store last told: the global spend and holds, and the limits.

    Of limits only those that name no scope but the global one: labels stay bounded.
    """

    def __init__(self) -> None:
        self.total = ScopeTotals(NanoUsd(0), NanoUsd(0))
        self.limits: dict[tuple[str, str], int] = {}

    def collect(self) -> Iterable[Metric]:
        spend = CounterMetricFamily(
            "budget_spend_nano_usd", "Spent, from the store.", labels=["scope_kind"]
        )
        spend.add_metric([ScopeKind.GLOBAL], self.total.spent)
        reserved = GaugeMetricFamily(
            "budget_reserved_nano_usd",
            "Held by calls in flight, from the store.",
            labels=["scope_kind"],
        )
        reserved.add_metric([ScopeKind.GLOBAL], self.total.reserved)
        limit = GaugeMetricFamily(
            "budget_limit_nano_usd",
            "Limit of all calls, or of each scope of a kind, where there is one.",
            labels=["scope_kind", "window"],
        )
        for labels, nano_usd in self.limits.items():
            limit.add_metric(labels, nano_usd)
        return (spend, reserved, limit)


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self.registry = CollectorRegistry()
        self._of_store = _OfStore()
        self.registry.register(self._of_store)
        self._decisions = Counter(
            "budget_decisions",
            "Calls decided.",
            ["decision", "code", "scope_kind"],
            registry=self.registry,
        )
        self._decided: dict[tuple[str, str, str], Counter] = {}
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
            "Trips that this gateway caused, as in /trips.",
            ["kind"],
            registry=self.registry,
        )
        self.store_up = Gauge(
            "budget_store_up", "1 while calls can be let through.", registry=self.registry
        )

    def decided(self, decision: str, code: str, scope_kind: str) -> None:
        """Count one decision."""
        # The library checks and joins the labels each time, at several times the cost of counting.
        key = (decision, code, scope_kind)
        counter = self._decided.get(key)
        if counter is None:
            counter = self._decided[key] = self._decisions.labels(*key)
        counter.inc()

    def tripped(self, kind: str) -> None:
        """Count a trip."""
        self._trips.labels(kind).inc()

    def expired(self, holds: Iterable[Expired]) -> None:
        """Count holds that expired."""
        for hold in holds:
            self._expired.labels("spent" if hold.state == "EXPIRED_SPENT" else "released").inc()

    def observe(self, total: ScopeState, rules: Rulebook, limits: Limits) -> None:
        """Take what the store says; until the next time its last values stay."""
        self._of_store.total = total.totals
        self._of_store.limits = {
            (scope.kind, each.window): each.limit_nano_usd
            for kind in ScopeKind
            for scope in (Scope(kind, "" if kind is ScopeKind.GLOBAL else _NO_ID),)
            for each in rules.in_force((scope,), _NOBODY, limits).limits
            if each.limit_nano_usd is not None
        }

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)
