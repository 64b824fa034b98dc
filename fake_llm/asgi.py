"""The few ASGI steps that a provider route takes: read a bounded body, send, notice a hang-up."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Self

from starlette.types import Message, Receive, Send

from fake_llm.errors import BadRequestError, BodyTooLargeError, MethodNotAllowedError

MAX_BODY_BYTES: Final = 4 * 1024 * 1024

Headers = Sequence[tuple[bytes, bytes]]


class ClientGoneError(Exception):
    """The client went away before there was anything to charge."""


async def read_post(method: str, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Read the body of a POST.

    Raises:
        MethodNotAllowedError: It is no POST.
        BodyTooLargeError: It is, or says it is, larger than `MAX_BODY_BYTES`.
        BadRequestError: It is compressed.
        ClientGoneError: The client hung up.
    """
    if method != "POST":
        raise MethodNotAllowedError(method)
    if int(headers.get(b"content-length", 0)) > MAX_BODY_BYTES:
        raise BodyTooLargeError(MAX_BODY_BYTES)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise BadRequestError("Send the body without Content-Encoding.")
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError(MAX_BODY_BYTES)
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return body


class Wire:
    """The way out of one answer. What goes wrong on it on purpose wraps it: see `WrappedWire`.

    A whole answer is one call of `whole`; a streamed one is `head`, then `part`s, of which the
    last one ends it, or `cut` where it ends too early.
    """

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    async def head(self, status: int, headers: Headers) -> None:
        """Send the head of a streamed answer."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, body: bytes, *, last: bool) -> None:
        """Send a piece of a streamed answer's body."""
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def whole(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Send a complete answer in JSON."""
        length = (b"content-length", b"%d" % len(body))
        named = [(b"content-type", b"application/json"), length, *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": named})
        await self._send({"type": "http.response.body", "body": body})

    async def cut(self) -> None:
        """End a streamed answer whose rest does not come: in order, as if it had been whole."""
        await self.part(b"", last=True)


class WrappedWire(Wire):
    """A wire before another one: it passes everything on, and its children some things changed.

    Attributes:
        inner: The one that it passes to.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Wire) -> None:
        self.inner = inner

    async def head(self, status: int, headers: Headers) -> None:
        """Pass the head on."""
        await self.inner.head(status, headers)

    async def part(self, body: bytes, *, last: bool) -> None:
        """Pass a piece on."""
        await self.inner.part(body, last=last)

    async def whole(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Pass a complete answer on."""
        await self.inner.whole(status, body, headers)

    async def cut(self) -> None:
        """Pass the early end on."""
        await self.inner.cut()


class Client:
    """Whether the client of a request, once its body was read, is still there.

    A context manager: the watch begins with the first wait and ends with the block.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._hang_up: asyncio.Future[Message] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()

    @property
    def is_gone(self) -> bool:
        """Whether the client is known to have gone away."""
        return self._hang_up is not None and self._hang_up.done()

    async def goes_within(self, delay_s: float) -> bool:
        """Wait; True, and at once, when the client goes away before the time is over."""
        if delay_s <= 0:
            return self.is_gone
        watch = self._hang_up or asyncio.ensure_future(self._receive())
        self._hang_up = watch
        await asyncio.wait((watch,), timeout=delay_s)
        return self.is_gone
