"""A provider that charges exactly the worst case, and misbehaves when `user` in the body says so.

`GET /calls?app=` lists what it carried out, as its own ledger: what it charged, and what it got.
"""

import asyncio
import json
import sys
from typing import Any, Final

from aiohttp import web

from metering.chat import parse_chat_request
from metering.embeddings import parse_embedding_request
from metering.tokens import prompt_upper_bound
from metering.usage import Usage
from tests.budget.provider_books import CALLS, begin, behaviour, calls
from tests.budget.provider_messages import count_tokens, messages

CHUNKS: Final = 4
MUTTERING: Final = {
    "comment": b": processing\n\n",
    "empty": b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n',
}


def usage_of(raw: bytes) -> Usage:
    """Use as much as the request allows."""
    request = parse_chat_request(raw)
    output = (request.output_limit or 0) * (request.n or 1)
    return Usage(prompt_upper_bound(request.messages, request.prompt_extras()), 0, output)


async def chat(request: web.Request) -> web.StreamResponse:
    """Charge, then answer as `user` asks: `<behaviour>:<argument>`, several joined by `;`."""
    raw = await request.read()
    body = json.loads(raw)
    asked = behaviour(body.get("user"))
    if "fail" in asked:
        return web.json_response({"error": {"message": "no"}}, status=int(asked["fail"]))
    if "use" in asked:
        usage = Usage(*(int(part) for part in asked["use"].split(",")))
    else:
        usage = usage_of(raw)
    call = begin(request, body, usage)
    if "wait" in asked:
        await asyncio.sleep(float(asked["wait"]))
    if "drop" in asked and not body.get("stream"):
        assert request.transport is not None
        request.transport.close()
    answer = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
    if body.get("stream"):
        response = await stream(request, asked, answer)
        call["ended"] = True
        return response
    call["ended"] = True
    document: dict[str, Any] = {"choices": [{"index": 0, "message": {"content": "ok"}}]}
    return web.json_response(document if "no-usage" in asked else document | {"usage": answer})


async def stream(
    request: web.Request, asked: dict[str, str], usage: dict[str, Any]
) -> web.StreamResponse:
    """Send some chunks, one every so many seconds with `pace`, then the usage.

    `chunks` says how many, `size` how long each is; those after the fourth say nothing, unless
    `talk` makes them. `running` has the usage in each chunk instead, `finish` a finish reason in
    the last one, and after `end` chunks the answer ends as if it were whole; `mutter` never ends.
    """
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    chunks, filling = int(asked.get("chunks", CHUNKS)), " " * int(asked.get("size", "0"))
    for number in range(chunks):
        if asked.get("end") == str(number):
            return response
        words = f"w{number} " if number < CHUNKS or "talk" in asked else ""
        choice: dict[str, Any] = {"index": 0, "delta": {"content": words}}
        if "finish" in asked and number == chunks - 1:
            choice["finish_reason"] = "stop"
        chunk: dict[str, Any] = {
            "choices": [choice],
            "usage": usage if "running" in asked else None,
        }
        chunk |= {"obfuscation": filling} if filling else {}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if "pace" in asked:
            await asyncio.sleep(float(asked["pace"]))
        if "drop" in asked and number == 1:
            assert request.transport is not None
            request.transport.close()
            return response
    if asked.get("end") == str(chunks):
        return response
    while "mutter" in asked:
        await response.write(MUTTERING[asked["mutter"]])
        await asyncio.sleep(0.05)
    if not asked.keys() & {"no-usage", "running"}:
        await response.write(
            b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        )
    await response.write(b"data: [DONE]\n\n")
    return response


async def embeddings(request: web.Request) -> web.Response:
    """Charge for as much input as the request may have."""
    raw = await request.read()
    usage = Usage(parse_embedding_request(raw).input_upper_bound(), 0, 0)
    begin(request, json.loads(raw), usage)
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    counts = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return web.json_response({"object": "list", "data": [vector], "model": "e", "usage": counts})


async def models(_request: web.Request) -> web.Response:
    """List no models."""
    return web.json_response({"object": "list", "data": []})


async def model(request: web.Request) -> web.Response:
    """Describe a model."""
    return web.json_response({"id": request.match_info["id"], "headers": dict(request.headers)})


def main() -> None:
    """Serve on the port given."""
    app = web.Application()
    app[CALLS] = []
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/embeddings", embeddings)
    app.router.add_post("/v1/messages", messages)
    app.router.add_post("/v1/messages/count_tokens", count_tokens)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/v1/models/{id}", model)
    app.router.add_get("/calls", calls)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
