"""A provider that answers with fixed bytes, so fast that it is never what limits a gateway.

Plain and streamed answers of 20 words, with usage: 20 tokens each way. `GET /served` tells how
many it answered, so that a gateway's ledger can be compared.
"""

from typing import Final

from starlette.types import Receive, Scope, Send

from fake_llm.answers import Answer
from fake_llm.routes.chat.encoding import ChatStream, plain_body
from metering.usage import Usage

USAGE: Final = Usage(20, 0, 20)
_ANSWER: Final = Answer("gpt-4", [" word"] * USAGE.output_tokens, "length", USAGE.input_tokens)
_PLAIN: Final = plain_body(_ANSWER, "chatcmpl-1", 1)
_JSON: Final = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_PLAIN))]
_SSE: Final = [(b"content-type", b"text/event-stream")]


def _events(*, include_usage: bool) -> list[bytes]:
    encoder = ChatStream(_ANSWER, "chatcmpl-1", 1, include_usage=include_usage)
    return [encoder.piece(n, n + 1) for n in range(USAGE.output_tokens)]


_WITHOUT_USAGE: Final = _events(include_usage=False)
_WITH_USAGE: Final = _events(include_usage=True)


class FixedUpstream:
    """The ASGI application."""

    def __init__(self) -> None:
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer any POST as a chat completion."""
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _send(send, _SSE, [b"%d" % self._served])
            return
        body = (await receive()).get("body", b"")
        self._served += 1
        if b'"stream":true' not in body.replace(b" ", b""):
            await _send(send, _JSON, [_PLAIN])
        else:
            await _send(send, _SSE, _WITH_USAGE if b"include_usage" in body else _WITHOUT_USAGE)


async def _send(send: Send, headers: list[tuple[bytes, bytes]], pieces: list[bytes]) -> None:
    """Send an answer, one write for each piece."""
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number, piece in enumerate(pieces, 1):
        is_last = number == len(pieces)
        await send({"type": "http.response.body", "body": piece, "more_body": not is_last})


app = FixedUpstream()
