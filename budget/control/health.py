"""The routes that show how the gateway does: alive, ready, metrics."""

import contextlib
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from budget.control.fields import Document
from budget.errors import StoreUnavailableError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.scopes import Limits
from budget.store.limits import LimitBook
from budget.store.reading import Reading


class AliveDocument(Document):
    """It runs."""

    status: Literal["ok"]


class ReadyDocument(Document):
    """It lets calls through."""

    status: Literal["ready"]


class ClosedDocument(Document):
    """It lets no call through, and why."""

    status: Literal["closed"]
    reason: str


def health_routes(
    reading: Reading, book: LimitBook, limits: Limits, gate: Gate, metrics: Metrics
) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> AliveDocument:
        """Alive."""
        return AliveDocument(status="ok")

    @router.get("/readyz", response_model=ReadyDocument, responses={503: {"model": ClosedDocument}})
    async def readyz() -> Response:
        """Ready to let calls through: the store answers, is safe and holds the known ledger."""
        reason = gate.reason
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "closed", "reason": reason}, 503)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
    )
    async def exposition() -> Response:
        """Prometheus metrics."""
        with contextlib.suppress(StoreUnavailableError):
            metrics.observe(await reading.total(), await book.read(), limits)
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router
