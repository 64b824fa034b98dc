"""A provider that charges exactly the worst case, and misbehaves when `user` in the body says so.

`GET /calls?app=` lists what it carried out, as its own ledger: what it charged, and what it got.
"""

import asyncio
import json
import sys
from typing import Any, Final

from aiohttp import web

from metering.chat import parse_chat_request
from metering.prices import PriceBook
from metering.tokens import prompt_upper_bound
from metering.usage import Usage

PRICES: Final = PriceBook()
CALLS: Final = web.AppKey("calls", list[dict[str, Any]])
CHUNKS: Final = 4


def usage_of(raw: bytes) -> Usage:
    """Use as much as the request allows."""
    request = parse_chat_request(raw)
    output = (request.output_limit or 0) * (request.n or 1)
    return Usage(prompt_upper_bound(request.messages, request.prompt_extras()), 0, output)


async def chat(request: web.Request) -> web.StreamResponse:
    """Charge, then answer as `user` asks: `<behaviour>:<argument>`, several joined by `;`."""
    raw = await request.read()
    body = json.loads(raw)
    asked = dict(part.partition(":")[::2] for part in body.get("user", "").split(";"))
    if "fail" in asked:
        return web.json_response({"error": {"message": "no"}}, status=int(asked["fail"]))
    usage = usage_of(raw)
    if "use" in asked:
        usage = Usage(*(int(part) for part in asked["use"].split(",")))
    call = {
        "nano_usd": PRICES.unit_price(body["model"]).cost(usage),
        "body": body,
        "headers": dict(request.headers),
        "ended": False,
    }
    request.app[CALLS].append(call)
    if "wait" in asked:
        await asyncio.sleep(float(asked["wait"]))
    if "drop" in asked and not body.get("stream"):
        assert request.transport is not None
        request.transport.close()
    answer = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    if body.get("stream"):
        response = await stream(request, asked, answer)
        call["ended"] = True
        return response
    call["ended"] = True
    document: dict[str, Any] = {"choices": [{"index": 0, "message": {"content": "ok"}}]}
    return web.json_response(document if "no-usage" in asked else document | {"usage": answer})


async def stream(
    request: web.Request, asked: dict[str, str], usage: dict[str, int]
) -> web.StreamResponse:
    """Send some chunks, one every so many seconds with `pace`, then the usage.

    `chunks` says how many, `size` how long each is. `running` has the usage in each chunk instead,
    `finish` a finish reason in the last one, and after `end` chunks the answer ends as if it were
    whole.
    """
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    chunks, filling = int(asked.get("chunks", CHUNKS)), " " * int(asked.get("size", "0"))
    for number in range(chunks):
        if asked.get("end") == str(number):
            return response
        choice: dict[str, Any] = {"index": 0, "delta": {"content": f"w{number} {filling}"}}
        if "finish" in asked and number == chunks - 1:
            choice["finish_reason"] = "stop"
        chunk = {"choices": [choice], "usage": usage if "running" in asked else None}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if "pace" in asked:
            await asyncio.sleep(float(asked["pace"]))
        if "drop" in asked and number == 1:
            assert request.transport is not None
            request.transport.close()
            return response
    if asked.get("end") == str(chunks):
        return response
    if not asked.keys() & {"no-usage", "running"}:
        await response.write(
            b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
        )
    await response.write(b"data: [DONE]\n\n")
    return response


async def calls(request: web.Request) -> web.Response:
    """List the calls of one application."""
    app = request.query["app"]
    found = [c for c in request.app[CALLS] if c["headers"].get("X-Workflow-App") == app]
    return web.json_response({"calls": found, "nano_usd": sum(c["nano_usd"] for c in found)})


async def models(_request: web.Request) -> web.Response:
    """List no models."""
    return web.json_response({"object": "list", "data": []})


def main() -> None:
    """Serve on the port given."""
    app = web.Application()
    app[CALLS] = []
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/calls", calls)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
