"""The books are what the clients saw, over all routes at once, whatever happens to the calls."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from metering.chat import ChatChunk
from metering.chat import read_usage as read_chat_usage
from metering.messages import read_event
from metering.messages import read_usage as read_messages_usage
from metering.sse import DONE_DATA, EventParser
from metering.usage import Usage
from tests.fake_llm.conftest import SLOW_OUTPUT_TOKENS, FakeLlm

_CLIENTS = 40
_CHAT = ("/v1/chat/completions", "gpt-4", 30_000, 60_000)
_MESSAGES = ("/v1/messages", "claude-sonnet-4-6", 3_000, 15_000)
"""Path, model, nano-dollars for an input token and for an output token."""


class _Seen:
    """What the clients of one run saw, by idempotency key."""

    def __init__(self) -> None:
        self.whole: dict[str, Usage] = {}
        self.words_before_a_cut: dict[str, int] = {}
        self.failed: Counter[str] = Counter()


async def test_the_books_are_what_the_clients_saw(slow_llm: FakeLlm) -> None:
    """40 clients, both routes, plain, streamed and cut, three in ten calls failed on purpose."""
    slow_llm.set_faults({"kind": "fail", "status": 503, "probability": 0.3})
    seen = _Seen()
    async with httpx.AsyncClient(base_url=slow_llm.url, timeout=30) as client:
        await asyncio.gather(*(_client(client, seen, number) for number in range(_CLIENTS)))
    await asyncio.to_thread(slow_llm.wait_until, lambda spend: spend["in_flight"] == 0)
    calls = {call["idempotency_key"]: call for call in slow_llm.get("/calls")["calls"]}
    assert calls.keys() == seen.whole.keys() | seen.words_before_a_cut.keys()
    for key, call in calls.items():
        if key in seen.whole:
            used = (seen.whole[key].input_tokens, seen.whole[key].output_tokens)
            assert (call["status"], call["input_tokens"], call["output_tokens"]) == (
                "completed",
                *used,
            )
        else:
            assert call["status"] == "cut"
            words = seen.words_before_a_cut[key]
            assert words <= call["output_tokens"] < SLOW_OUTPUT_TOKENS
        _, _, per_input, per_output = _CHAT if call["model"] == "gpt-4" else _MESSAGES
        price = call["input_tokens"] * per_input + call["output_tokens"] * per_output
        assert call["nano_usd"] == price
    spend = slow_llm.get("/spend")
    for name in ("input_tokens", "output_tokens", "nano_usd"):
        assert spend[name] == sum(call[name] for call in calls.values())
    counted: Counter[str] = Counter()
    for row in slow_llm.get("/requests")["requests"]:
        counted[row["ended"]] += row["count"]
    assert counted == {
        "answered": len(seen.whole),
        "cut": len(seen.words_before_a_cut),
        "refused": seen.failed.total(),
    }
    assert min(counted.values()) > 0
    assert seen.failed.keys() == {_CHAT[0], _MESSAGES[0]}


async def _client(client: httpx.AsyncClient, seen: _Seen, number: int) -> None:
    for turn in range(4):
        path, model, _, _ = (_CHAT, _MESSAGES)[(number + turn) % 2]
        kind = ("plain", "streamed", "cut")[(number // 2 + turn) % 3]
        key = f"{number}-{turn}"
        body = {
            "model": model,
            "messages": [{"role": "user", "content": key}],
            "max_tokens": SLOW_OUTPUT_TOKENS if kind == "cut" else 3 + turn,
            "stream": kind != "plain",
        }
        if path == _CHAT[0] and kind != "plain":
            body["stream_options"] = {"include_usage": True}
        headers = {"Idempotency-Key": key}
        async with client.stream("POST", path, json=body, headers=headers) as answer:
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                seen.failed[path] += 1
            elif kind == "plain":
                read = read_chat_usage if path == _CHAT[0] else read_messages_usage
                usage = read(await answer.aread())
                assert usage is not None
                seen.whole[key] = usage
            else:
                await _read_stream(answer, seen, key, is_cut=kind == "cut")


async def _read_stream(answer: httpx.Response, seen: _Seen, key: str, *, is_cut: bool) -> None:
    parser, words, usage = EventParser(), 0, None
    async for piece in answer.aiter_raw():
        for event in parser.feed(piece):
            text, found = _read(event.data)
            words += bool(text)
            usage = found or usage
        if is_cut and words >= 3:
            seen.words_before_a_cut[key] = words
            return
    assert usage is not None
    assert usage.output_tokens == words
    seen.whole[key] = usage


def _read(data: str) -> tuple[str, Usage | None]:
    """Return the text of an event of either provider, and the final usage that it reports."""
    if data == DONE_DATA:
        return "", None
    if '"object":"chat.completion.chunk"' in data:
        return ChatChunk.model_validate_json(data).text(), read_chat_usage(data)
    event = read_event(data)
    usage: dict[str, Any] = dict(event.usage)
    is_final = event.type == "message_delta"
    return event.text, read_messages_usage(data) if is_final and usage else None
