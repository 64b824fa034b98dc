"""Anthropic's side of the provider: it behaves as `metadata.user_id` asks."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

from metering.messages import parse_messages_request
from metering.usage import Usage
from tests.budget.provider_books import begin, behaviour

WORDS: Final = ("one ", "two ", "three ")


def usage_of(raw: bytes, asked: dict[str, str]) -> Usage:
    """Use as much as the request allows; `use` is input, read, output, written, for one hour."""
    if "use" in asked:
        return Usage(*(int(part) for part in asked["use"].split(",")))
    request = parse_messages_request(raw)
    return Usage(request.prompt_upper_bound(1600), 0, request.max_tokens)


def counts_of(usage: Usage) -> dict[str, Any]:
    """Count as Anthropic does: the cache beside the input."""
    writes = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.plain_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": writes,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    }


async def messages(request: web.Request) -> web.StreamResponse:
    """Charge, then answer."""
    raw = await request.read()
    body = json.loads(raw)
    asked = behaviour((body.get("metadata") or {}).get("user_id"))
    if "fail" in asked:
        error = {"type": "error", "error": {"type": "api_error", "message": "no"}}
        return web.json_response(error, status=int(asked["fail"]))
    usage = usage_of(raw, asked)
    call = begin(request, body, usage)
    if "wait" in asked:
        await asyncio.sleep(float(asked["wait"]))
    if "drop" in asked:
        assert request.transport is not None
        request.transport.close()
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": counts_of(usage),
    }
    if body.get("stream"):
        response = await stream(request, asked, message, usage)
        call["ended"] = True
        return response
    call["ended"] = True
    content = [{"type": "text", "text": "".join(WORDS)}]
    return web.json_response(message | {"content": content, "stop_reason": "end_turn"})


async def stream(
    request: web.Request, asked: dict[str, str], message: dict[str, Any], usage: Usage
) -> web.StreamResponse:
    """Send a start, words, and the total; `chunks` says how many words, `pace` how slowly.

    `end` leaves out the end, `error` puts an error in its place.
    """
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)

    async def send(kind: str, **fields: Any) -> None:
        data = json.dumps({"type": kind, **fields})
        await response.write(f"event: {kind}\ndata: {data}\n\n".encode())

    begun = message | {"usage": message["usage"] | {"output_tokens": 1}}
    await send("message_start", message=begun)
    await send("content_block_start", index=0, content_block={"type": "text", "text": ""})
    await send("ping")
    for number in range(int(asked.get("chunks", len(WORDS)))):
        words = WORDS[number % len(WORDS)]
        await send("content_block_delta", index=0, delta={"type": "text_delta", "text": words})
        if "pace" in asked:
            await asyncio.sleep(float(asked["pace"]))
    await send("content_block_stop", index=0)
    if "error" in asked:
        await send("error", error={"type": "overloaded_error", "message": "no"})
        return response
    if "end" in asked:
        return response
    total = {"output_tokens": usage.output_tokens}
    await send("message_delta", delta={"stop_reason": "end_turn"}, usage=total)
    await send("message_stop")
    return response


async def count_tokens(request: web.Request) -> web.Response:
    """Count without charging."""
    bound = parse_messages_request((await request.read())[:-1] + b',"max_tokens":0}')
    return web.json_response({"input_tokens": bound.prompt_upper_bound(None)})
