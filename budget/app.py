"""Puts the gateway together: parts, lifetime, routes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fastapi import FastAPI

from budget.access.access import Access
from budget.access.denials import Denials
from budget.access.policy import Policy
from budget.access.routes import key_routes
from budget.accounts import Accounts
from budget.calls.asgi import Answer, ClientGoneError, Receive, Scope, Send, given, read_body
from budget.calls.gateway import Gateway
from budget.calls.openapi import document_provider_routes
from budget.calls.providers import metered_routes
from budget.calls.upstream import Upstream
from budget.control.application import CONTROL_PATHS, Parts, control_app, most_body_bytes
from budget.control.events import EventLog
from budget.control.operating import Operations
from budget.errors import RefusedError, StoreError
from budget.gate import Gate
from budget.keeper import Keeper
from budget.metrics import Metrics
from budget.recovery.disk import Disk
from budget.recovery.journal import DEADLINE_S, Journal
from budget.recovery.recovery import Recovery
from budget.recovery.routes import recovery_routes
from budget.recovery.store import JournaledStore
from budget.recovery.watch import Watch
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

ENCODED_PREFIXES: Final = ("/instances/", "/keys/")


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
        gate = Gate(metrics)
        self._link = RedisLink(settings.redis_url)
        store, recovery, self._watch = _store(settings, self._link)
        self._journal = None if recovery is None else recovery.journal
        book = LimitBook(self._link)
        accounts = Accounts(store, gate, limits, settings.hold_ms, metrics, book=book)
        self._closer = accounts.closer
        self._upstreams = {
            name: Upstream(target, settings.upstream_timeout_s)
            for name, target in settings.upstreams.items()
        }
        keys = KeyBook(self._link)
        self._access = Access(policy, keys, Denials(metrics))
        routes = metered_routes(prices, settings.default_max_tokens)
        self._gateway = Gateway(
            self._access,
            accounts,
            routes,
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
            watch=None if self._watch is None else self._watch.look,
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
        self._events = EventLog(reading, accounts.decisions, gate)
        parts = Parts(
            self._access,
            accounts,
            book,
            self._events,
            gate,
            limits,
            metrics,
            operations,
            reading,
            routes,
        )
        self._control = control_app(parts, self._lifespan)
        self._control.include_router(key_routes(keys, self._access))
        self._control.include_router(recovery_routes(recovery, gate))
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
            self._access.denials.note(error.refusal)
            await Answer(send).refuse(error.refusal)
        else:
            await self._serve_control(scope, receive, send)

    async def _serve_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the control API, bodies bounded.

        Who reads may leave in the middle of an answer, so a GET is given the connection itself.
        """
        if scope["method"] == "GET":
            await self._control(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, most_body_bytes(scope["path"]))
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
        if self._journal is not None:
            self._journal.start()
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(self._keeper.run(), name="keeper"),
            asyncio.create_task(self._events.run(), name="events"),
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
            await self._leave()
            await self._link.close()

    async def _leave(self) -> None:
        """Close the journal; where the store knows all that is in it, nobody has to wait for it."""
        if self._watch is not None and not self._closer.untold:
            with contextlib.suppress(StoreError):
                await self._watch.leave()
        if self._journal is not None:
            await self._journal.close()

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


def _store(settings: Settings, link: RedisLink) -> tuple[Store, Recovery | None, Watch | None]:
    """Build the store, with a journal where one is wanted."""
    if settings.journal_dir is None:
        plain = Store(link, accept_loss=settings.allow_unsafe_store, rules=_rules(settings))
        return plain, None, None
    deadline_s = min(DEADLINE_S, settings.hold_ms / 4_000)
    recovery = Recovery(link, Journal(Disk(settings.journal_dir), deadline_s=deadline_s))
    store = JournaledStore(link, recovery.journal, recovery, rules=_rules(settings))
    return store, recovery, Watch(link, store, recovery)


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
