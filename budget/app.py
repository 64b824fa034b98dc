"""Puts the gateway together: parts, lifetime, routes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from budget.access.access import Access
from budget.access.policy import Policy
from budget.access.routes import key_routes
from budget.accounts import Accounts
from budget.calls.asgi import Answer, ClientGoneError, Receive, Scope, Send, given, read_body
from budget.calls.gateway import Gateway
from budget.calls.openapi import document_provider_routes
from budget.calls.providers import metered_routes
from budget.calls.upstream import Upstream
from budget.control.money import budget_routes, error_answer, health_routes, on_store_unavailable
from budget.control.operating import Operations, operating_routes
from budget.errors import RefusedError, StoreError, StoreUnavailableError
from budget.gate import Gate
from budget.keeper import Keeper
from budget.metrics import Metrics
from budget.reservations import Rules
from budget.scopes import Limits
from budget.settings import Settings
from budget.sources import SourceStopper
from budget.store.keys import KeyBook
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.stops import StopQueue
from budget.store.store import Store
from budget.store.switches import Switches
from metering.prices import PriceBook
from metering.tokens import warm_up

SETTLE_TIME_S: Final = 2.0
"""How long a stopping gateway waits for calls to be settled; the others' holds expire as spent."""

CONTROL_PATHS: Final = frozenset(
    {
        *("/budgets", "/decisions", "/ledger", "/healthz", "/readyz", "/metrics"),
        *("/kill", "/resume", "/trips", "/keys", "/docs", "/openapi.json"),
    }
)
ENCODED_PREFIXES: Final = ("/instances/", "/keys/")
MAX_CONTROL_BODY_BYTES: Final = 64 << 10


class App:
    """The whole gateway as one ASGI application.

    Args:
        settings: What it enforces and where it forwards to.
        prices: What calls cost.
        policy: Who is asked for a key.
    """

    def __init__(self, settings: Settings, prices: PriceBook, policy: Policy) -> None:
        limits = Limits(
            settings.mode,
            settings.cap_nano_usd,
            settings.instance_cap_nano_usd,
            settings.safety_cap_nano_usd,
        )
        metrics = Metrics()
        metrics.set_limits(limits)
        gate = Gate(metrics)
        self._link = RedisLink(settings.redis_url)
        store = Store(self._link, accept_loss=settings.allow_unsafe_store, rules=_rules(settings))
        book = LimitBook(self._link)
        accounts = Accounts(store, gate, limits, settings.hold_ms, metrics, book=book)
        self._closer = accounts.closer
        self._upstreams = {
            name: Upstream(target, settings.upstream_timeout_s)
            for name, target in settings.upstreams.items()
        }
        keys = KeyBook(self._link)
        self._access = Access(policy, keys)
        self._gateway = Gateway(
            self._access,
            accounts,
            metered_routes(prices, settings.default_max_tokens),
            self._upstreams,
            replays=settings.replays,
            clamps=settings.clamp,
        )
        self._keeper = Keeper(
            self._link,
            store,
            self._closer,
            accounts.renewals,
            gate,
            metrics=metrics,
            allow_unsafe=settings.allow_unsafe_store,
        )
        reading = Reading(self._link)
        self._stopper = _stopper(settings, self._link, metrics, accounts.zombie_found)
        operations = Operations(
            Switches(self._link),
            reading,
            metrics,
            accounts.zombie_found,
            has_scheduler=self._stopper is not None,
            app_id=settings.app_id or "",
        )
        self._control = FastAPI(
            title="Runaway budget gateway", version=version("runaway"), lifespan=self._lifespan
        )
        self._control.include_router(budget_routes(accounts.decisions, reading, limits))
        self._control.include_router(operating_routes(operations))
        self._control.include_router(key_routes(keys, self._access))
        self._control.include_router(health_routes(reading, gate, metrics))
        self._control.add_exception_handler(StoreUnavailableError, on_store_unavailable)
        self._control.add_exception_handler(RequestValidationError, _on_bad_request)
        self._control.add_exception_handler(HTTPException, _on_http_error)
        document_provider_routes(self._control)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the data path directly, everything else through FastAPI."""
        if scope["type"] != "http":
            await self._control(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        handler = self._gateway.handler(method, path)
        if handler is not None:
            await handler(scope, receive, send)
        elif path in CONTROL_PATHS:
            await self._operate(scope, receive, send)
        elif path.startswith(ENCODED_PREFIXES):
            # An id may have an encoded slash: the route is found before anything is decoded.
            raw_path = scope["raw_path"].decode("latin-1")
            await self._operate({**scope, "path": raw_path}, receive, send)
        else:
            await self._gateway.unknown(scope, send)

    async def _operate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the control API to whom it is for: nothing of it is read or done before."""
        try:
            await self._access.operator(scope)
        except RefusedError as error:
            await Answer(send).refuse(error.refusal)
        else:
            await self._serve_control(scope, receive, send)

    async def _serve_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the control API, bodies bounded."""
        try:
            body = await read_body(scope, receive, MAX_CONTROL_BODY_BYTES)
        except RefusedError as error:
            await Answer(send).refuse(error.refusal)
        except ClientGoneError:
            pass
        else:
            await self._control(scope, given(body), send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        self._link.start()
        for upstream in self._upstreams.values():
            upstream.start()
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(self._keeper.run(), name="keeper"),
            # Beside the first calls: the first long stream would wait for it.
            asyncio.create_task(asyncio.to_thread(warm_up), name="tokenizers"),
        ]
        if self._stopper is not None:
            tasks.append(asyncio.create_task(self._stopper.run(), name="stopper"))
        try:
            yield
        finally:
            await self._settle_what_runs()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for upstream in self._upstreams.values():
                await upstream.close()
            await self._link.close()

    async def _settle_what_runs(self) -> None:
        with contextlib.suppress(TimeoutError, StoreError):
            async with asyncio.timeout(SETTLE_TIME_S):
                await self._gateway.idle.wait()
                await self._closer.tell_untold()


def _rules(settings: Settings) -> Rules:
    if settings.mode == "observe":
        return Rules(refuses_zombies=False)
    return Rules(
        zombie_executions=settings.zombie_executions,
        stops_zombies=settings.scheduler_address is not None,
    )


def _stopper(
    settings: Settings, link: RedisLink, metrics: Metrics, wake: asyncio.Event
) -> SourceStopper | None:
    if settings.scheduler_address is None:
        return None
    return SourceStopper(
        StopQueue(link),
        settings.scheduler_address,
        settings.namespace,
        settings.app_id or "",
        metrics,
        wake=wake,
    )


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
