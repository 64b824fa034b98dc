"""The data path: price, reserve, forward, settle, answer.

Plain ASGI, for it carries every call. Once a call was written upstream it is followed to its end
and settled, whether or not the client is still there: then the provider tells what it cost, to the
token. The reservation, the upstream timeout and the token limit bound how long that takes.
"""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import ClientResponse

from budget.accounts import Accounts, Receipt, Ticket
from budget.answers import MAX_STORED_BYTES, StoredAnswer, Tee, storable
from budget.caller import Caller
from budget.calls import refusals
from budget.calls.asgi import (
    Answer,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    read_body,
    while_there,
)
from budget.calls.pricing import PricedCall, price_call
from budget.calls.refusals import Headers, Refusal
from budget.calls.streams import StreamReader
from budget.calls.upstream import (
    UnknownOutcomeError,
    UnreachableError,
    Upstream,
    read_answer,
    request_headers,
    response_headers,
)
from budget.claims import Claim, claim_of
from budget.errors import RefusedError, UpstreamError
from budget.reservations import Replay
from metering.chat import read_usage
from metering.errors import SseError, UsageError
from metering.identity import CallerIdentity
from metering.prices import PriceBook
from metering.sse import encode_event
from metering.usage import Usage

CHAT_PATH: Final = "/v1/chat/completions"
MODELS_PATH: Final = "/v1/models"
MAX_CALLS: Final = 2048

OUTCOME_UNKNOWN: Final = frozenset({502, 504, 520, 524})
"""What an edge (a proxy, a CDN) answers when it passed the request on and lost the answer."""


class Gateway:
    """Answers the provider's routes.

    Args:
        accounts: Where calls are admitted and charged.
        prices: What calls cost.
        upstream: The provider.
        default_max_tokens: For requests that limit nothing.
        replays: Whether a repeated idempotency key is answered from the store.

    Attributes:
        idle: Set while no call is under way.
    """

    def __init__(
        self,
        accounts: Accounts,
        prices: PriceBook,
        upstream: Upstream,
        *,
        default_max_tokens: int,
        replays: bool,
    ) -> None:
        self._accounts = accounts
        self._prices = prices
        self._upstream = upstream
        self._default_max_tokens = default_max_tokens
        self._replays = replays
        self._calls = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer POST /v1/chat/completions."""
        if self._calls >= MAX_CALLS:
            await Answer(send).refuse(refusals.overloaded(MAX_CALLS))
            return
        self._calls += 1
        self.idle.clear()
        try:
            await self._metered(scope, receive, send)
        except (RefusedError, UpstreamError) as error:
            await Answer(send).refuse(error.refusal)
        except ClientGoneError:
            pass
        finally:
            self._calls -= 1
            if not self._calls:
                self.idle.set()

    async def models(self, scope: Scope, send: Send) -> None:
        """Answer GET /v1/models, which costs nothing."""
        headers = request_headers(scope["headers"], CallerIdentity.from_asgi(scope["headers"]))
        try:
            async with self._upstream.send("GET", _target(scope), headers) as response:
                body = await read_answer(response)
                passed = response_headers(response.raw_headers)
        except UnreachableError as error:
            await Answer(send).refuse(error.refusal)
        except UnknownOutcomeError:
            await Answer(send).refuse(refusals.upstream_failed())
        else:
            await Answer(send).whole(response.status, passed, body)

    async def _metered(self, scope: Scope, receive: Receive, send: Send) -> None:
        identity = CallerIdentity.from_asgi(scope["headers"])
        received = await read_body(scope, receive)
        call = self._price(identity, received)
        claim = self._claim(scope, identity, received)
        admission = await self._accounts.admit(call, Caller(identity), claim, while_there(receive))
        if isinstance(admission, Replay):
            await _replay(admission, Answer(send))
            return
        headers = request_headers(scope["headers"], identity)
        await self._forward(admission, _target(scope), headers, Answer(send))

    def _claim(self, scope: Scope, identity: CallerIdentity, received: bytes) -> Claim | None:
        if not self._replays:
            return None
        return claim_of(identity, scope["headers"], _target(scope), received)

    async def _forward(
        self, ticket: Ticket, target: str, headers: dict[str, str], answer: Answer
    ) -> None:
        call = ticket.call
        reader = StreamReader(wants_usage=call.wants_usage, choices=call.choices)
        tee = Tee(MAX_STORED_BYTES if ticket.reservation.claim else 0)
        try:
            async with self._upstream.send(
                "POST", target, headers, call.body, is_stream=call.is_stream
            ) as response:
                body = await self._take(ticket, response, reader, answer, tee)
        except UnreachableError:
            await self._accounts.release(ticket)
            raise
        except BaseException as error:
            await self._accounts.settle(ticket, reader.final_usage)
            if answer.is_started and isinstance(error, UnknownOutcomeError):
                await answer.write(_error_event(error.refusal), is_last=True)
                return
            raise
        if body is None:
            await self._finish_stream(ticket, response, reader, answer, tee)
        else:
            await self._finish(ticket, response, answer, body)

    def _price(self, identity: CallerIdentity, body: bytes) -> PricedCall:
        try:
            return price_call(body, self._prices, self._default_max_tokens)
        except RefusedError as error:
            self._accounts.note_refusal(identity, error.refusal)
            raise

    async def _take(
        self,
        ticket: Ticket,
        response: ClientResponse,
        reader: StreamReader,
        answer: Answer,
        tee: Tee,
    ) -> bytes | None:
        """Pass a stream on as it comes, or return a plain answer's body."""
        if not (ticket.call.is_stream and _is_event_stream(response)):
            return await read_answer(response)
        passed = response_headers(response.raw_headers)
        await answer.start(response.status, passed + _budget_headers(ticket, None))
        async for chunk in response.content.iter_any():
            kept = _follow(reader, chunk)
            if kept:
                tee.feed(kept)
                await answer.write(kept)
        return None

    async def _finish_stream(
        self,
        ticket: Ticket,
        response: ClientResponse,
        reader: StreamReader,
        answer: Answer,
        tee: Tee,
    ) -> None:
        """Charge what a stream used; a whole one is stored as it was sent."""
        stored = None
        if reader.usage is not None and tee.kept is not None:
            stored = _stored(ticket, response, tee.kept)
        await self._accounts.settle(ticket, reader.usage, stored)
        await answer.write(b"", is_last=True)

    async def _finish(
        self, ticket: Ticket, response: ClientResponse, answer: Answer, body: bytes
    ) -> None:
        """Charge what the provider says the call used, then let the answer end.

        Without usage a success, and an edge that lost the answer, are charged at the worst case,
        and any other error nothing.
        """
        usage = _usage_of(body)
        receipt = None
        if usage is None and _cost_nothing(response.status):
            await self._accounts.release(ticket)
        else:
            receipt = await self._accounts.settle(ticket, usage, _stored(ticket, response, body))
        passed = response_headers(response.raw_headers) + _budget_headers(ticket, receipt)
        await answer.whole(response.status, passed, body)


def _target(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    path: str = scope["path"]
    return f"{path}?{query.decode('latin-1')}" if query else path


def _cost_nothing(status: int) -> bool:
    return status >= HTTPStatus.MULTIPLE_CHOICES and status not in OUTCOME_UNKNOWN


def _is_event_stream(response: ClientResponse) -> bool:
    return response.content_type == "text/event-stream"


def _follow(reader: StreamReader, chunk: bytes) -> bytes:
    try:
        return reader.feed(chunk)
    except SseError:
        raise UnknownOutcomeError(refusals.upstream_interrupted()) from None


def _usage_of(body: bytes) -> Usage | None:
    try:
        return read_usage(body)
    except UsageError:
        return None


def _budget_headers(ticket: Ticket, receipt: Receipt | None) -> Headers:
    """Return what is known: a stream's cost is not when its headers leave."""
    headers: Headers = [(b"x-budget-reservation-id", ticket.reservation.id.encode())]
    remaining = ticket.remaining_nano_usd
    if receipt is not None:
        headers.append((b"x-budget-cost-nano", b"%d" % receipt.cost_nano_usd))
        remaining = receipt.remaining_nano_usd
    if remaining is not None:
        headers.append((b"x-budget-remaining-nano", b"%d" % remaining))
    return headers


def _stored(ticket: Ticket, response: ClientResponse, body: bytes) -> StoredAnswer | None:
    if ticket.reservation.claim is None:
        return None
    return storable(response.status, response_headers(response.raw_headers), body)


async def _replay(replay: Replay, answer: Answer) -> None:
    """Send what the call was answered the first time."""
    headers: Headers = [
        *replay.answer.raw_headers(),
        (b"x-budget-replay", b"true"),
        (b"x-budget-reservation-id", replay.reservation_id.encode()),
        (b"x-budget-cost-nano", b"0"),
    ]
    await answer.whole(replay.answer.status, headers, replay.answer.body.encode())


def _error_event(refusal: Refusal) -> bytes:
    return encode_event(refusal.body())
