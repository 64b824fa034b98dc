"""Bounds the bodies of requests in size and time, before anything else looks at them."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workflow_app.errors import ApiError, BodyTimeoutError, BodyTooLargeError

MAX_BODY_BYTES: Final = 64 << 10
BODY_TIMEOUT_S: Final = 10.0


class BodyLimit:
    """Reads each body whole and hands it on, or answers 413 or 408.

    Args:
        app: What comes behind.
        refuse: Makes the answer of an error.
        timeout_s: Longest wait for the whole body.
    """

    def __init__(
        self,
        app: ASGIApp,
        refuse: Callable[[ApiError], Response],
        timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose body is small enough, and everything that is no request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            first = await _whole(scope, receive, self._timeout_s)
        except ApiError as error:
            await self._refuse(error)(scope, receive, send)
            return
        await self._app(scope, _replayed(first, receive), send)


async def _whole(scope: Scope, receive: Receive, timeout_s: float) -> Message:
    """Return the body as one message, or the message that says that the client left."""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > MAX_BODY_BYTES:
            raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body", False):
                    return {"type": "http.request", "body": bytes(body), "more_body": False}
    except TimeoutError:
        raise BodyTimeoutError(
            f"the body of the request did not arrive within {timeout_s:g} s"
        ) from None


def _replayed(first: Message, receive: Receive) -> Receive:
    messages = [first]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _too_large() -> BodyTooLargeError:
    return BodyTooLargeError(f"the body of a request has at most {MAX_BODY_BYTES} bytes")
