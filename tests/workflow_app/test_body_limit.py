"""The bound of bodies in time; its bound in size is held over HTTP, in test_main."""

import asyncio

from starlette.responses import PlainTextResponse
from starlette.types import Message

from workflow_app.body_limit import BodyLimit


def test_a_body_that_never_ends_is_answered_in_time() -> None:
    """A client that stops in the middle of its body gets a 408, and nobody waits for it."""
    sent: list[Message] = []

    async def receive() -> Message:
        if sent_pieces:
            return sent_pieces.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    sent_pieces: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]
    limit = BodyLimit(
        PlainTextResponse("reached"),
        refuse=lambda error: PlainTextResponse(error.code, error.status),
        timeout_s=0.05,
    )
    asyncio.run(limit({"type": "http", "headers": []}, receive, send))
    assert [sent[0]["status"], sent[1]["body"]] == [408, b"request_timeout"]
