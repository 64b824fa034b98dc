"""The control API: what is spent, what was decided, what moved; health, metrics, documentation."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from budget.decision_log import Decision, DecisionLog
from budget.errors import StoreUnavailableError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.reservations import LedgerEntry, ScopeState
from budget.scopes import Limits, ScopeKind, Window
from budget.store.reading import Reading
from metering.money import money_json

After = Annotated[int, Query(ge=0, le=2**53, description="Cursor: 0 is the beginning.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items.")]
JsonObject = dict[str, Any]

DEFAULT_PAGE: Final = 100


def budget_routes(decided: DecisionLog, reading: Reading, limits: Limits) -> APIRouter:
    """Build the routes that show money."""
    router = APIRouter()

    @router.get("/budgets", tags=["budget"])
    async def budgets(limit: Limit = DEFAULT_PAGE) -> JsonObject:
        """Limits and counters: the global scope first, then the instances asked last."""
        total = await reading.total()
        instances, known = await reading.latest(ScopeKind.INSTANCE, limit)
        rows = [_budget(limits, ScopeKind.GLOBAL, total)]
        rows += [_budget(limits, ScopeKind.INSTANCE, state) for state in instances]
        return {"mode": limits.mode, "budgets": rows, "instances": known}

    @router.get("/decisions", tags=["budget"])
    async def decisions(after: After = 0, limit: Limit = DEFAULT_PAGE) -> JsonObject:
        """Calls that this gateway let through or refused, oldest first."""
        page = decided.feed.read(after, limit)
        items = [_decision(seq, item) for seq, item in page.items]
        return {"decisions": items, "next": page.next, "dropped": page.dropped}

    @router.get("/ledger", tags=["budget"])
    async def ledger(after: After = 0, limit: Limit = DEFAULT_PAGE) -> JsonObject:
        """Every movement of money in the store, oldest first."""
        page = await reading.ledger(after, limit)
        items = [_entry(entry) for entry in page.entries]
        return {"entries": items, "next": page.next_seq, "dropped": page.dropped}

    return router


def health_routes(reading: Reading, gate: Gate, metrics: Metrics) -> APIRouter:
    """Build the routes that show how the gateway does."""
    router = APIRouter()

    @router.get("/healthz", tags=["health"])
    async def healthz() -> JsonObject:
        """Alive."""
        return {"status": "ok"}

    @router.get("/readyz", tags=["health"])
    async def readyz() -> Response:
        """Ready to let calls through: the store answers, is safe and holds the known ledger."""
        reason = gate.reason
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "closed", "reason": reason}, 503)

    @router.get("/metrics", tags=["health"])
    async def exposition() -> Response:
        """Prometheus metrics."""
        try:
            total = await reading.total()
        except StoreUnavailableError:
            total = None
        return Response(metrics.render(total), media_type=CONTENT_TYPE_LATEST)

    return router


def error_answer(
    status: int, message: str, code: str, headers: Sequence[tuple[str, str]] = ()
) -> JSONResponse:
    """Build an error of the control API."""
    error = {"message": message, "type": "control_error", "code": code}
    return JSONResponse({"error": error}, status, headers=dict(headers))


async def on_store_unavailable(_request: Request, error: Exception) -> Response:
    """Answer when the store can't be read."""
    return error_answer(503, str(error), "budget_store_unavailable", [("retry-after", "5")])


def _budget(limits: Limits, kind: ScopeKind, state: ScopeState) -> JsonObject:
    limit, safety = limits.enforced(kind), limits.safety(kind)
    return {
        "scope": kind,
        "id": state.id,
        "window": Window.LIFETIME,
        "limit": None if limit is None else money_json(limit),
        "safety_limit": None if safety is None else money_json(safety),
        "spent": money_json(state.totals.spent),
        "reserved": money_json(state.totals.reserved),
        "calls": state.calls,
        "refusals": state.refusals,
        "cut_off_unix_ms": state.cut_off_unix_ms,
    }


def _decision(seq: int, item: Decision) -> JsonObject:
    return {
        "seq": seq,
        "at_unix_ms": item.at_unix_ms,
        "decision": item.decision,
        "code": item.code,
        "scope": item.scope,
        "instance": item.identity.instance,
        "activity": item.identity.activity,
        "task_id": item.identity.task_id,
        "execution_id": item.identity.execution_id,
        "requested": money_json(item.requested),
        "reservation_id": item.reservation_id,
    }


def _entry(entry: LedgerEntry) -> JsonObject:
    return {
        "seq": entry.seq,
        "at_unix_ms": entry.at_unix_ms,
        "event": entry.event,
        "state": entry.state,
        "reservation_id": entry.reservation_id,
        "instance": entry.instance,
        "amount": money_json(entry.amount),
        "reserved_delta": money_json(entry.reserved_delta),
        "spent_delta": money_json(entry.spent_delta),
        "cost": None if entry.cost is None else money_json(entry.cost),
        "overshoot": money_json(entry.overshoot),
        "estimated": entry.estimated,
    }
