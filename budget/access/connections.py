"""Keeps each client within bounds: connections, request heads, and the time that they may take.

Uvicorn's own protocol bounds no request head, waits for ever for the first one, for the rest of a
body that was answered and for a client to read its answer, and takes trailers for headers. How long
a request's body may take is bounded in `budget/calls/asgi.py`.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from budget.access import refusals
from budget.calls.asgi import JSON
from budget.calls.refusals import Refusal

MAX_HEAD_BYTES: Final = 32 << 10
MAX_HEADERS: Final = 100
LINGER_S: Final = 1.0
MAX_SURPLUS: Final = 256


class HeadTooLargeError(Exception):
    """A request line and headers, or trailers, beyond the bounds."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What all clients of one server may take together, and each of them.

    Attributes:
        max_connections: Open at once; a further one gets a 503 and is closed.
        head_timeout_s: From the first byte of a request, or from the connection, to the end of its
            headers; and from an answer to the end of a body that nobody read.
        stall_s: How long a client may read nothing of what is written to it.
        surplus: The connections that are being refused.
    """

    max_connections: int
    head_timeout_s: float
    stall_s: float
    surplus: set["BoundedProtocol"] = field(default_factory=set)


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a client.

    Args:
        arguments: Uvicorn's.
        limits: The bounds.
    """

    def __init__(self, *arguments: Any, limits: ClientLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._timer: TimerHandle | None = None
        self._stall_timer: TimerHandle | None = None
        self._awaits_head = True
        self._has_begun = False
        self._head_bytes = 0
        self._head_fields = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Wait for a request; not at all when there are too many connections."""
        super().connection_made(cast("Transport", transport))
        if len(self.connections) > self._limits.max_connections:
            self.connections.discard(self)
            self._turn_away()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._unwatch()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        self._limits.surplus.discard(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Watch whether the client reads."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """Begin anew: it does."""
        super().resume_writing()
        self._watch_reading()

    def data_received(self, data: bytes) -> None:
        """Take what came; of a surplus connection nothing but the first bytes counts."""
        if self in self._limits.surplus:
            if not self._has_begun:
                self._has_begun = True
                self._refuse_connection()
            return
        if self._awaits_head and self._timer is None:
            self._watch()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Start to count; it may have come with the end of the request before it."""
        self._head_bytes = self._head_fields = 0
        self._has_begun = True
        if self._timer is None:
            self._watch()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(len(url), 0)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer, which is dropped: the headers may have been read."""
        self._count(len(name) + len(value), 1)
        if self._awaits_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._awaits_head = False
        self._unwatch()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next request, for which a client has its keep-alive time."""
        super().on_message_complete()
        self._awaits_head, self._has_begun = True, False
        if self._timer is not None:
            self._unwatch()
            if self.cycle.response_complete:
                self._rest()

    def on_response_complete(self) -> None:
        """Give the rest of a body that nobody read its time, and the client time to read."""
        super().on_response_complete()
        self._watch_reading()
        is_answered_early = not self._awaits_head and self.cycle.response_complete
        if is_answered_early and not self.transport.is_closing():
            self._watch()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words for it
        """Refuse what is no request, or one too large."""
        if self._is_idle():
            self._answer(
                refusals.head_too_large(MAX_HEAD_BYTES, MAX_HEADERS)
                if self._is_too_large()
                else refusals.malformed_request()
            )
        self._close()

    def _count(self, size: int, fields: int) -> None:
        self._head_bytes += size
        self._head_fields += fields
        if self._is_too_large():
            raise HeadTooLargeError

    def _is_too_large(self) -> bool:
        return self._head_bytes > MAX_HEAD_BYTES or self._head_fields > MAX_HEADERS

    def _is_idle(self) -> bool:
        """Whether no answer is being written."""
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        self._unwatch()
        self._timer = self.loop.call_later(self._limits.head_timeout_s, self._on_timeout)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self) -> None:
        """Let the connection be idle; the bytes of a late body ended uvicorn's own watch."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _on_timeout(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if not self._is_idle():
            # The head of a next request came early, and no more of it: the answer goes on.
            self._watch()
            return
        if self._awaits_head and self._has_begun:
            self._answer(refusals.head_timeout(self._limits.head_timeout_s))
        self._close()

    def _close(self) -> None:
        self.transport.close()
        self._watch_reading()

    def _watch_reading(self) -> None:
        """See to it that what is written is read: a closing connection waits for that too."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        unread = self.transport.get_write_buffer_size()
        if unread:
            self._stall_timer = self.loop.call_later(self._limits.stall_s, self._on_stall, unread)

    def _on_stall(self, unread_before: int) -> None:
        """End the connection of a client that has read nothing since; nothing was added if so."""
        is_full = self.flow.write_paused or self._is_idle()
        if is_full and self.transport.get_write_buffer_size() >= unread_before:
            self.transport.abort()
        else:
            self._watch_reading()

    def _turn_away(self) -> None:
        """Answer the first bytes of a surplus connection, and close it shortly after."""
        if len(self._limits.surplus) >= MAX_SURPLUS:
            self.transport.abort()
            return
        self._limits.surplus.add(self)
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _refuse_connection(self) -> None:
        self._answer(refusals.too_many_connections(self._limits.max_connections))
        # Closing at once would reset the connection under a client that is still sending.
        self.transport.write_eof()

    def _answer(self, refusal: Refusal) -> None:
        body = refusal.body()
        headers = [JSON, *refusal.headers, (b"content-length", b"%d" % len(body))]
        status = HTTPStatus(refusal.status)
        line = f"HTTP/1.1 {status} {status.phrase}\r\n".encode()
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(line + head + b"\r\n" + body)
