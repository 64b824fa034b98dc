"""Transports for httpx and httpx2 that let a call pass only while the budget allows it.

A refused call gets the gateway's answer, in the provider's error shape, and nothing is sent. An
error of the connection is raised as it is. Redirects and retries are calls of their own.
"""

import asyncio
import threading
import weakref
from dataclasses import dataclass, field
from typing import Any, Final

from budget.accounts import Ticket
from budget.client.answers import refused, replayed, streamed, whole
from budget.client.calls import (
    Metered,
    Outgoing,
    cost_nothing,
    is_event_stream,
    is_free,
    price_request,
    sent_headers,
    stored_answer,
    usage_of,
)
from budget.client.libraries import AsyncTransport, SyncTransport, is_unsent, library_of
from budget.client.office import OFFICES, Office
from budget.client.options import Budget
from budget.client.streams import AsyncMeteredStream, Charge, MeteredStream
from budget.errors import RefusedError
from budget.reservations import Replay

MAX_CONNECTIONS: Final = 1000
IDLE_CONNECTION_S: Final = 4.0
"""Below the five seconds after which common servers close an idle connection."""


@dataclass
class _Shared:
    """What both transports have: an office, entered with the first call, and open streams."""

    budget: Budget
    lock: threading.Lock = field(default_factory=threading.Lock)
    office: Office | None = None
    is_closed: bool = False
    streams: "weakref.WeakSet[Any]" = field(default_factory=weakref.WeakSet)

    def enter(self) -> Office:
        """Return the office.

        Raises:
            RuntimeError: The transport is closed.
        """
        with self.lock:
            if self.is_closed:
                raise RuntimeError("This transport is closed: make another one.")
            if self.office is None or not self.office.is_of_this_process:
                self.office = OFFICES.enter(self.budget)
            return self.office

    def entered(self) -> Office | None:
        """Return the office if it is open; never blocks."""
        if self.office is None or self.is_closed or not self.office.is_of_this_process:
            return None
        return self.office

    def hold(self, stream: Any) -> Any:
        """Remember a stream as long as somebody reads it."""
        with self.lock:
            self.streams.add(stream)
        return stream

    def leave(self) -> list[Any]:
        """Take no more calls; return the streams to close before the office is left."""
        with self.lock:
            self.is_closed = True
            return list(self.streams)

    def left(self) -> None:
        """Leave the office."""
        if self.office is not None:
            OFFICES.leave(self.budget, self.office)
            self.office = None


class BudgetTransport(SyncTransport):
    """Reserves, sends and settles, for a blocking client; thread-safe.

    Args:
        budget: What it enforces; transports with equal ones share a connection to the store.
        transport: What sends; a plain one of the client's library unless told. Closed with this.

    Raises:
        RuntimeError: From a call: this transport is closed.
    """

    def __init__(self, budget: Budget, transport: Any = None) -> None:
        self._shared = _Shared(budget)
        self._inner = transport

    @property
    def closed_because(self) -> str | None:
        """Why no call is let through; None while they are."""
        return self._shared.enter().closed_because

    def handle_request(self, request: Any) -> Any:
        """Make a call within the budget."""
        library = library_of(request)
        inner = self._inner_of(library)
        if is_free(request):
            return inner.handle_request(request)
        office = self._shared.enter()
        try:
            outgoing = _priced(request, request.read(), office)
        except RefusedError as error:
            return refused(request, error)
        try:
            admission = _admit(office, outgoing)
        except RefusedError as error:
            outgoing.failed()
            return refused(request, error)
        if isinstance(admission, Replay):
            return replayed(library, admission)
        return self._send(request, outgoing, admission, office)

    def close(self) -> None:
        """Close the inner transport; settle open streams at what is known of them."""
        for stream in self._shared.leave():
            stream.close()
        if self._inner is not None:
            self._inner.close()
        self._shared.left()

    def _send(self, request: Any, outgoing: Outgoing, ticket: Ticket, office: Office) -> Any:
        """Send an admitted call; whatever happens, its hold is closed."""
        library = library_of(request)
        try:
            response = self._inner.handle_request(_sent(library, request, outgoing, ticket))
            if ticket.call.is_stream and is_event_stream(response):
                metered = Metered(outgoing.route, ticket, response)
                charge = Charge(office, ticket, outgoing, metered)
                stream = self._shared.hold(MeteredStream(response, metered, charge, library))
                return streamed(library, response, ticket, stream)
            body = _read(response)
            receipt = _close(office, outgoing, ticket, response, body).result()
            return whole(library, response, ticket, body, receipt)
        except BaseException as error:
            _close_failed(office, outgoing, ticket, library, error).result()
            raise

    def _inner_of(self, library: Any) -> Any:
        with self._shared.lock:
            if self._inner is None:
                self._inner = library.HTTPTransport(limits=limits_of(library))
            return self._inner


class AsyncBudgetTransport(AsyncTransport):
    """The same for an asynchronous client, on any event loop of asyncio."""

    def __init__(self, budget: Budget, transport: Any = None) -> None:
        self._shared = _Shared(budget)
        self._inner = transport

    @property
    def closed_because(self) -> str | None:
        """Why no call is let through; None while they are."""
        return self._shared.enter().closed_because

    async def handle_async_request(self, request: Any) -> Any:
        """Make a call within the budget."""
        library = library_of(request)
        inner = self._inner_of(library)
        if is_free(request):
            return await inner.handle_async_request(request)
        body = await request.aread()
        # The first one asks the store, in a thread: the caller's loop goes on meanwhile.
        office = self._shared.entered()
        if office is None:
            office = await asyncio.to_thread(self._shared.enter)
        try:
            outgoing = _priced(request, body, office)
        except RefusedError as error:
            return refused(request, error)
        try:
            admission = await _admitted(office, outgoing)
        except RefusedError as error:
            outgoing.failed()
            return refused(request, error)
        if isinstance(admission, Replay):
            return replayed(library, admission)
        return await self._send(request, outgoing, admission, office)

    async def aclose(self) -> None:
        """Close the inner transport; settle open streams at what is known of them."""
        for stream in self._shared.leave():
            await stream.aclose()
        if self._inner is not None:
            await self._inner.aclose()
        await asyncio.to_thread(self._shared.left)

    async def _send(self, request: Any, outgoing: Outgoing, ticket: Ticket, office: Office) -> Any:
        """Send an admitted call; whatever happens, its hold is closed."""
        library = library_of(request)
        try:
            response = await self._inner.handle_async_request(
                _sent(library, request, outgoing, ticket)
            )
            if ticket.call.is_stream and is_event_stream(response):
                metered = Metered(outgoing.route, ticket, response)
                charge = Charge(office, ticket, outgoing, metered)
                stream = self._shared.hold(AsyncMeteredStream(response, metered, charge, library))
                return streamed(library, response, ticket, stream)
            body = await _aread(response)
            closing = _close(office, outgoing, ticket, response, body)
            receipt = await asyncio.shield(asyncio.wrap_future(closing))
            return whole(library, response, ticket, body, receipt)
        except BaseException as error:
            # Not waited for: this task may have been cancelled.
            _close_failed(office, outgoing, ticket, library, error)
            raise

    def _inner_of(self, library: Any) -> Any:
        if self._inner is None:
            self._inner = library.AsyncHTTPTransport(limits=limits_of(library))
        return self._inner


def limits_of(library: Any) -> Any:
    """Return the bounds of a connection pool for LLM calls."""
    return library.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=100,
        keepalive_expiry=IDLE_CONNECTION_S,
    )


def _priced(request: Any, body: bytes, office: Office) -> Outgoing:
    return price_request(request, body, office.routes, office.settings, office.tenant)


def _admit(office: Office, outgoing: Outgoing) -> Ticket | Replay:
    handover = office.begin(outgoing)
    try:
        return handover.outcome.result()
    except RefusedError:
        raise
    except BaseException:
        handover.give_up()
        outgoing.failed()
        raise


async def _admitted(office: Office, outgoing: Outgoing) -> Ticket | Replay:
    handover = office.begin(outgoing)
    try:
        return await asyncio.wrap_future(handover.outcome)
    except RefusedError:
        raise
    except BaseException:
        handover.give_up()
        outgoing.failed()
        raise


def _close(office: Office, outgoing: Outgoing, ticket: Ticket, response: Any, body: bytes) -> Any:
    """Begin to charge what an answer says the call used; return the future of a receipt or None."""
    usage = usage_of(outgoing.route, body)
    if not response.is_success:
        outgoing.failed()
    if usage is None and cost_nothing(response.status_code):
        return office.release(ticket)
    return office.settle(ticket, usage, stored_answer(ticket, response, body))


def _close_failed(
    office: Office, outgoing: Outgoing, ticket: Ticket, library: Any, error: BaseException
) -> Any:
    """Begin to charge a call without an answer: its worst case, unless it was not sent."""
    outgoing.failed()
    if is_unsent(library, error):
        return office.release(ticket)
    return office.settle(ticket, None)


def _read(response: Any) -> bytes:
    try:
        return b"".join(response.iter_bytes())
    finally:
        response.close()


async def _aread(response: Any) -> bytes:
    try:
        return b"".join([chunk async for chunk in response.aiter_bytes()])
    finally:
        await response.aclose()


def _sent(library: Any, request: Any, outgoing: Outgoing, ticket: Ticket) -> Any:
    return library.Request(
        request.method,
        request.url,
        headers=sent_headers(request, outgoing.caller),
        content=ticket.call.body,
        extensions=request.extensions,
    )
