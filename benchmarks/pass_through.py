"""A proxy that only forwards, on the gateway's own stack: what the gateway is compared to."""

import os
from typing import Any

from aiohttp import ClientSession, TCPConnector
from starlette.types import Receive, Scope, Send

UPSTREAM_URL = os.environ.get("UPSTREAM_URL", "http://127.0.0.1:8001")


class PassThrough:
    """Forwards the path and the body; passes the answer on as it comes."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=0))
        body = await _whole_body(receive)
        async with self._session.request(
            scope["method"], UPSTREAM_URL + scope["path"], data=body
        ) as response:
            headers = [(b"content-type", response.headers["content-type"].encode())]
            start: dict[str, Any] = {"type": "http.response.start", "status": response.status}
            await send(start | {"headers": headers})
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _whole_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


app = PassThrough()
