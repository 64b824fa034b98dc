"""Two servers that answer chat completions with fixed bytes and meter nothing: what is compared to.

A stream is sent as most servers do, one write for each event.
"""

from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from fake_llm.answers import Answer
from fake_llm.routes.chat.encoding import ChatStream, plain_body

_ANSWER = Answer("gpt-4", ["Word"] * 20, "length", 20)
_PLAIN = plain_body(_ANSWER, "chatcmpl-1", 1)
_ENCODER = ChatStream(_ANSWER, "chatcmpl-1", 1, include_usage=False)
_EVENTS = [_ENCODER.piece(n, n + 1) for n in range(20)]
_JSON = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_PLAIN))]
_SSE = [(b"content-type", b"text/event-stream")]

fastapi = FastAPI()


async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer anything at the ASGI level."""
    if scope["type"] != "http":
        return
    message = await receive()
    body: bytes = message.get("body", b"")
    streamed = b'"stream":true' in body
    headers = _SSE if streamed else _JSON
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for event in _EVENTS if streamed else []:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if streamed else _PLAIN})


@fastapi.get("/health")
async def health() -> str:
    """Tell that the server answers."""
    return "ok"


@fastapi.post("/v1/chat/completions")
async def completions(request: Request) -> Response:
    """Answer a chat completion."""
    body = await request.json()
    if body.get("stream"):
        return StreamingResponse(_events(), media_type="text/event-stream")
    return Response(_PLAIN, media_type="application/json")


async def _events() -> AsyncIterator[bytes]:
    for event in _EVENTS:
        yield event
