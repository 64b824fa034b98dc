"""The little of ASGI that the data path needs: bounded request bodies, and answers."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final

from budget.calls import refusals
from budget.calls.refusals import Headers, Refusal
from budget.errors import RefusedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wait = Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
"""Waits for something, for a caller who may leave meanwhile."""

MAX_BODY_BYTES: Final = 4 << 20
BODY_TIMEOUT_S: Final = 30.0
CLIENT_STALL_S: Final = 30.0
JSON: Final = (b"content-type", b"application/json")


class ClientGoneError(Exception):
    """The client left before its request was whole, or while it waited for its turn."""


async def read_body(scope: Scope, receive: Receive, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read a request body.

    Raises:
        RefusedError: 413 above `most_bytes`; 408 when it does not arrive in time.
        ClientGoneError: The client left.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > most_bytes:
            raise RefusedError(refusals.too_large(most_bytes))
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                body += message.get("body", b"")
                if len(body) > most_bytes:
                    raise RefusedError(refusals.too_large(most_bytes))
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise RefusedError(refusals.body_timeout(BODY_TIMEOUT_S)) from None


def while_there(receive: Receive) -> Wait:
    """Return what waits for something as long as the client, whose request is read, is there.

    It raises ClientGoneError when the client left.
    """

    async def wait(something: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.create_task(each) for each in (something, _leaving(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            has_left = tasks[1].done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if has_left:
            raise ClientGoneError

    return wait


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def given(body: bytes) -> Receive:
    """Return what gives an application a body that was read."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError

    return receive


class Answer:
    """An answer being written. A client that stalls or left is not waited for.

    Attributes:
        is_started: Whether the status has left.
        is_abandoned: Whether the client took too long; what is written afterwards is dropped.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_started = False
        self.is_abandoned = False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        self.is_started = True
        await self._pass(
            _start(status, [*headers, (b"content-length", b"%d" % len(body))]),
            _piece(body, is_last=True),
        )

    async def refuse(self, refusal: Refusal) -> None:
        """Send an error."""
        await self.whole(refusal.status, [JSON, *refusal.headers], refusal.body())

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.is_started = True
        await self._pass(_start(status, headers))

    async def write(self, body: bytes, *, is_last: bool = False) -> None:
        """Send a piece of the body."""
        await self._pass(_piece(body, is_last=is_last))

    async def _pass(self, *messages: Message) -> None:
        if self.is_abandoned:
            return
        try:
            async with asyncio.timeout(CLIENT_STALL_S):
                for message in messages:
                    await self._send(message)
        except (TimeoutError, OSError):
            self.is_abandoned = True


def _start(status: int, headers: Headers) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _piece(body: bytes, *, is_last: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": not is_last}
