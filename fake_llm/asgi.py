"""The few ASGI steps that a provider route takes: read a bounded body, send, notice a hang-up."""

import asyncio
from typing import Final, Self

from starlette.types import Message, Receive, Scope, Send

from fake_llm.errors import BadRequestError, BodyTooLargeError

MAX_BODY_BYTES: Final = 4 * 1024 * 1024

Headers = list[tuple[bytes, bytes]]


class ClientGoneError(Exception):
    """The client went away before its request was read to the end."""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Read a request's body.

    Raises:
        BodyTooLargeError: It is, or says it is, larger than `MAX_BODY_BYTES`.
        BadRequestError: It is compressed.
        ClientGoneError: The client hung up.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > MAX_BODY_BYTES:
            raise BodyTooLargeError(MAX_BODY_BYTES)
        if name == b"content-encoding" and value.lower() != b"identity":
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


async def start(send: Send, status: int, headers: Headers) -> None:
    """Send the head of an answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def send_part(send: Send, body: bytes, *, last: bool) -> None:
    """Send a piece of an answer's body."""
    await send({"type": "http.response.body", "body": body, "more_body": not last})


async def send_whole(send: Send, status: int, body: bytes) -> None:
    """Send a complete answer in JSON."""
    length = (b"content-length", b"%d" % len(body))
    await start(send, status, [(b"content-type", b"application/json"), length])
    await send_part(send, body, last=True)


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
