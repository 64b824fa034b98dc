"""The control API as one FastAPI application, for the gateway to serve beside the data path."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from budget.access.access import Access
from budget.accounts import Accounts
from budget.calls.asgi import MAX_BODY_BYTES
from budget.calls.providers import Route
from budget.control.budgets import budget_routes
from budget.control.decisions import decision_routes
from budget.control.events import EventLog
from budget.control.fields import error_answer, on_store_unavailable
from budget.control.health import health_routes
from budget.control.instances import instance_routes
from budget.control.ledger import ledger_routes
from budget.control.limits import limit_routes, velocity_routes
from budget.control.listening import Listeners, event_routes
from budget.control.operating import Operations, operating_routes
from budget.control.page import page_routes
from budget.control.simulate import Simulator, simulate_routes
from budget.errors import StoreUnavailableError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.scopes import Limits
from budget.store.limits import LimitBook
from budget.store.reading import Reading

CONTROL_PATHS: Final = frozenset(
    {
        *("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"),
        *("/budgets", "/decisions", "/ledger", "/ledger/export", "/ledger/verify"),
        *("/kill", "/resume", "/trips", "/instances", "/events"),
        *("/limits", "/velocity", "/simulate", "/keys"),
        *("/recovery", "/recovery/confirm"),
    }
)
MAX_CONTROL_BODY_BYTES: Final = 64 << 10


def most_body_bytes(path: str) -> int:
    """Return how long a body a route of the control API takes."""
    return MAX_BODY_BYTES if path == "/simulate" else MAX_CONTROL_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Parts:
    """What the control API shows and commands."""

    access: Access
    accounts: Accounts
    book: LimitBook
    events: EventLog
    gate: Gate
    limits: Limits
    metrics: Metrics
    operations: Operations
    reading: Reading
    routes: dict[str, Route]


def control_app(
    parts: Parts, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
) -> FastAPI:
    """Build it."""
    control = FastAPI(title="Runaway budget gateway", version=version("runaway"), lifespan=lifespan)
    reading, book, limits = parts.reading, parts.book, parts.limits
    for router in (
        budget_routes(reading, book, limits),
        simulate_routes(Simulator(parts.accounts, parts.routes, reading)),
        decision_routes(parts.accounts.decisions),
        ledger_routes(reading),
        limit_routes(book, limits, parts.metrics),
        velocity_routes(book, limits, parts.metrics),
        operating_routes(parts.operations),
        instance_routes(reading),
        event_routes(Listeners(parts.events, parts.access.operator)),
        health_routes(reading, book, limits, parts.gate, parts.metrics),
        page_routes(),
    ):
        control.include_router(router)
    control.add_exception_handler(StoreUnavailableError, on_store_unavailable)
    control.add_exception_handler(RequestValidationError, _on_bad_request)
    control.add_exception_handler(HTTPException, _on_http_error)
    return control


async def _on_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it alone
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors()
    )
    is_body = any(problem["loc"][:1] == ("body",) for problem in error.errors())
    if is_body and not request.headers.get("content-type", "").startswith("application/json"):
        problems += "; a body is read only with the header content-type: application/json"
    return error_answer(422, problems, "invalid_body" if is_body else "invalid_query")


async def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for it alone
    return error_answer(error.status_code, error.detail, "http_error")
