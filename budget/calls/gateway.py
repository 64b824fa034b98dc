"""The data path: price, reserve, forward, settle, answer. It knows no provider.

Plain ASGI, for it carries every call. Once a call was written upstream it is followed to its end
and settled, whether or not the client is still there: then the provider tells what it cost, to the
token. The reservation, the upstream timeout and the token limit bound how long that takes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from budget.access.access import Access
from budget.accounts import Accounts, Ticket
from budget.caller import Caller
from budget.calls import refusals
from budget.calls.asgi import (
    JSON,
    Answer,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    Wait,
    read_body,
    while_there,
)
from budget.calls.forwarding import Forwarding, replay
from budget.calls.free import free_route
from budget.calls.pricing import CLAMP_HEADER, PricedCall
from budget.calls.providers import Provider, Route, provider_of
from budget.calls.refusals import Refusal
from budget.calls.upstream import (
    UnknownOutcomeError,
    UnreachableError,
    Upstream,
    read_answer,
    response_headers,
)
from budget.claims import Claim, claim_of
from budget.errors import RefusedError, UpstreamError
from budget.reservations import Replay
from metering.identity import CallerIdentity

MAX_CALLS: Final = 2048

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gateway:
    """Answers the providers' routes.

    Args:
        access: Who may call.
        accounts: Where calls are admitted and charged.
        routes: Those that cost money, by path.
        upstreams: The providers, by name.
        replays: Whether a repeated idempotency key is answered from the store.
        clamps: Whether calls that don't fit are made smaller unless their caller says otherwise.

    Attributes:
        idle: Set while no call is under way.
    """

    def __init__(
        self,
        access: Access,
        accounts: Accounts,
        routes: Mapping[str, Route],
        upstreams: Mapping[str, Upstream],
        *,
        replays: bool,
        clamps: bool = False,
    ) -> None:
        self._access = access
        self._accounts = accounts
        self._routes = routes
        self._upstreams = upstreams
        self._replays = replays
        self._clamps = clamps
        self._calls = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def handler(self, method: str, path: str) -> Handler | None:
        """Return what answers a route, None when it is none of a provider's that is served."""
        if method == "POST" and path in self._routes:
            return partial(self._serve, self._routes[path])
        return self._pass if free_route(method, path) else None

    async def unknown(self, scope: Scope, send: Send) -> None:
        """Refuse what is no route: it is never forwarded."""
        provider = provider_of(scope["path"], scope["headers"])
        refusal = refusals.unknown_route(scope["method"], scope["path"])
        await _refuse(Answer(send), provider, refusal)

    async def _serve(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a route that costs money."""
        if self._calls >= MAX_CALLS:
            await _refuse(Answer(send), route.provider, refusals.overloaded(MAX_CALLS))
            return
        self._calls += 1
        self.idle.clear()
        try:
            await self._metered(route, scope, receive, send)
        except (RefusedError, UpstreamError) as error:
            self._access.denials.note(error.refusal)
            await _refuse(Answer(send), route.provider, error.refusal)
        except ClientGoneError:
            pass
        finally:
            self._calls -= 1
            if not self._calls:
                self.idle.set()

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a route that costs nothing."""
        provider = provider_of(scope["path"], scope["headers"])
        upstream = self._upstreams[provider.name]
        method = scope["method"]
        try:
            grant = await self._access.caller(scope)
            identity = grant.identity(CallerIdentity.from_asgi(scope["headers"]))
            headers = upstream.headers(grant.forwarded(scope["headers"]), identity)
            body = await read_body(scope, receive) if method == "POST" else None
            # A model's name may have an encoded slash.
            raw_path = scope["raw_path"].decode("latin-1")
            target = _target({**scope, "path": raw_path})
            async with upstream.send(method, target, headers, body) as response:
                found = await read_answer(response)
                passed = response_headers(response.raw_headers)
        except (RefusedError, UnreachableError) as error:
            self._access.denials.note(error.refusal)
            await _refuse(Answer(send), provider, error.refusal)
        except UnknownOutcomeError:
            await _refuse(Answer(send), provider, refusals.upstream_failed())
        except ClientGoneError:
            pass
        else:
            await Answer(send).whole(response.status, passed, found)

    async def _metered(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        grant = await self._access.caller(scope)
        identity = grant.identity(CallerIdentity.from_asgi(scope["headers"]))
        received = await read_body(scope, receive)
        call = self._price(route, identity, received)
        grant.check_model(call.model)
        claim = self._claim(scope, identity, received)
        clamps = _wants_clamp(scope, self._clamps)
        caller = Caller(identity, grant.tenant)
        admission = await self._admit(call, caller, claim, while_there(receive), clamps=clamps)
        if isinstance(admission, Replay):
            await replay(admission, Answer(send))
            return
        upstream = self._upstreams[route.provider.name]
        forwarding = Forwarding(self._accounts, upstream, route, admission, Answer(send))
        headers = upstream.headers(grant.forwarded(scope["headers"]), identity)
        await forwarding.run(_target(scope), headers)

    async def _admit(
        self,
        call: PricedCall,
        caller: Caller,
        claim: Claim | None,
        wait: Wait,
        *,
        clamps: bool,
    ) -> Ticket | Replay:
        """Admit a call; where that is wanted, a smaller one when it does not fit: two tries."""
        try:
            return await self._accounts.admit(call, caller, claim, wait)
        except RefusedError as error:
            tokens = error.refusal.affordable_output_tokens
            smaller = call.clamped(tokens) if clamps and tokens is not None else None
            if smaller is None:
                raise
        return await self._accounts.admit(smaller, caller, claim, wait)

    def _claim(self, scope: Scope, identity: CallerIdentity, received: bytes) -> Claim | None:
        if not self._replays:
            return None
        return claim_of(identity, scope["headers"], _target(scope), received)

    def _price(self, route: Route, identity: CallerIdentity, body: bytes) -> PricedCall:
        try:
            return route.price(body)
        except RefusedError as error:
            self._accounts.note_refusal(identity, error.refusal)
            raise


async def _refuse(answer: Answer, provider: Provider, refusal: Refusal) -> None:
    await answer.whole(refusal.status, [JSON, *refusal.headers], provider.error_body(refusal))


def _wants_clamp(scope: Scope, default: bool) -> bool:  # noqa: FBT001  # the setting
    found = [value for name, value in scope["headers"] if name == CLAMP_HEADER]
    return found[-1].strip().lower() in {b"true", b"1"} if found else default


def _target(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    path: str = scope["path"]
    return f"{path}?{query.decode('latin-1')}" if query else path
