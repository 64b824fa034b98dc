import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from metering.chat import ChatChunk, read_usage
from metering.sse import DONE_DATA, EventParser
from metering.tokens import count_text
from metering.usage import Usage
from tests.fake_llm.conftest import SLOW_ITL_S, SLOW_OUTPUT_TOKENS, SLOW_TTFT_S, FakeLlm

_MESSAGES: Any = [{"role": "user", "content": "hello"}]
_HELLO: dict[str, Any] = {"model": "gpt-4", "messages": _MESSAGES}
_INPUT_TOKENS = 8
"""3 for the prompt, 3 for the message, 1 for `user`, 1 for `hello`."""


def _openai(service: FakeLlm) -> openai.OpenAI:
    return openai.OpenAI(base_url=service.url + "/v1", api_key="any", max_retries=0)


def _raw_request(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _content_events(raw: bytes) -> list[str]:
    """Return the words of a chunked, streamed answer, wherever it was cut."""
    body = raw.partition(b"\r\n\r\n")[2]
    events = EventParser().feed(b"\n".join(b for b in body.split(b"\r\n") if b.startswith(b"data")))
    chunks = [ChatChunk.model_validate_json(e.data) for e in events if e.data != DONE_DATA]
    return [text for chunk in chunks if (text := chunk.text())]


def test_openais_client_reads_a_plain_answer(fake_llm: FakeLlm) -> None:
    """Text, reason and usage; a tokenizer finds as many tokens in the text as are reported."""
    with _openai(fake_llm) as client:
        answer = client.chat.completions.create(**_HELLO, max_tokens=12)
    text = answer.choices[0].message.content
    assert text is not None
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (_INPUT_TOKENS, 12)
    assert count_text("gpt-4", text) == 12


def test_openais_client_reads_a_streamed_answer(fake_llm: FakeLlm) -> None:
    """Role, words, reason and, when asked for, the usage that the ledger has."""
    with _openai(fake_llm) as client:
        stream = client.chat.completions.create(
            **_HELLO, max_tokens=12, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert count_text("gpt-4", text) == 12
    assert chunks[-2].choices[0].finish_reason == "length"
    usage = chunks[-1].usage
    assert usage is not None
    spend = fake_llm.get("/spend")
    assert (usage.prompt_tokens, usage.completion_tokens) == (_INPUT_TOKENS, 12)
    assert (spend["input_tokens"], spend["output_tokens"]) == (_INPUT_TOKENS, 12)


def test_plain_and_streamed_charges_are_the_price_lists(fake_llm: FakeLlm) -> None:
    """gpt-4: 8 x $30/M + 12 x $60/M = 240,000 + 720,000 = 960,000 nano-dollars, each time."""
    fake_llm.post({**_HELLO, "max_tokens": 12}).raise_for_status()
    fake_llm.post({**_HELLO, "max_tokens": 12, "stream": True}).raise_for_status()
    spend = fake_llm.get("/spend")
    assert (spend["nano_usd"], spend["usd"]) == (1_920_000, "0.001920000")
    assert [call["usd"] for call in fake_llm.get("/calls")["calls"]] == ["0.000960000"] * 2


def test_the_same_request_has_the_same_answer(fake_llm: FakeLlm) -> None:
    """The text is a function of seed and request, not of how often it was asked."""
    first, second = (fake_llm.post(_HELLO).json() for _ in range(2))
    assert first["choices"] == second["choices"]
    assert first["id"] != second["id"]
    other = fake_llm.post({**_HELLO, "user": "else"}).json()
    assert other["choices"] != first["choices"]


def test_a_call_carries_its_callers_identity(fake_llm: FakeLlm) -> None:
    """Each identity header stands in the call's entry; a second delivery is a duplicate."""
    identity = {
        "X_Workflow_App": "app",
        "X_Workflow_Name": "agent",
        "X_Workflow_Root": "root",
        "X_Workflow_Instance": "i-1",
        "X_Workflow_Activity": "step",
        "X_Workflow_Task_Id": "3",
        "X_Workflow_Execution_Id": "e-1",
        "Idempotency_Key": "i-1:e-1:3:1",
    }
    for _ in range(2):
        fake_llm.post(_HELLO, **identity).raise_for_status()
    calls = fake_llm.get("/calls")["calls"]
    fields = ("app", "workflow", "root", "instance", "activity", "task_id", "execution_id")
    assert [calls[0][name] for name in fields] == [
        "app",
        "agent",
        "root",
        "i-1",
        "step",
        "3",
        "e-1",
    ]
    assert calls[0]["idempotency_key"] == "i-1:e-1:3:1"
    assert [call["duplicate"] for call in calls] == [False, True]
    assert fake_llm.get("/spend")["duplicate_calls"] == 1


def test_an_unknown_model_is_answered_and_flagged(fake_llm: FakeLlm) -> None:
    """Nobody's price is made up: tokens are counted, money is not."""
    answer = fake_llm.post({**_HELLO, "model": "no-such-model"})
    assert answer.status_code == 200
    spend = fake_llm.get("/spend")
    assert (spend["calls"], spend["unpriced_calls"], spend["nano_usd"]) == (1, 1, 0)
    assert spend["output_tokens"] == 64


def test_an_answer_takes_its_time(slow_llm: FakeLlm) -> None:
    """TTFT 500 ms and 20 gaps of 10 ms are 700 ms, plain and streamed."""
    for stream in (False, True):
        began = time.monotonic()
        slow_llm.post({**_HELLO, "max_tokens": 21, "stream": stream}).raise_for_status()
        assert time.monotonic() - began >= SLOW_TTFT_S + 20 * SLOW_ITL_S


def test_a_stream_that_its_client_cuts_is_charged_for_what_was_sent(slow_llm: FakeLlm) -> None:
    """The client stops asking but reads to the end: the ledger has exactly the words it got."""
    with socket.create_connection(("127.0.0.1", slow_llm.port), timeout=10) as connection:
        connection.sendall(_raw_request({**_HELLO, "stream": True}))
        received = b""
        while len(_content_events(received)) < 5:
            received += connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
    words = _content_events(received)
    assert 5 <= len(words) < SLOW_OUTPUT_TOKENS
    slow_llm.wait_until(lambda spend: spend["calls"] == 1)
    (call,) = slow_llm.get("/calls")["calls"]
    assert (call["status"], call["stream"]) == ("cut", True)
    assert (call["input_tokens"], call["output_tokens"]) == (_INPUT_TOKENS, len(words))
    assert call["nano_usd"] == _INPUT_TOKENS * 30_000 + len(words) * 60_000


def test_a_stream_cut_before_its_first_token_costs_its_prompt(slow_llm: FakeLlm) -> None:
    """A provider reads the prompt whether or not anyone waits for the answer."""
    _hang_up_at_once(slow_llm, {**_HELLO, "stream": True})
    (call,) = slow_llm.get("/calls")["calls"]
    assert (call["status"], call["input_tokens"], call["output_tokens"]) == ("cut", 8, 0)


def test_a_plain_call_that_nobody_waits_for_is_charged_in_full(slow_llm: FakeLlm) -> None:
    """The whole answer is generated, and paid, although its client went away."""
    _hang_up_at_once(slow_llm, {**_HELLO, "max_tokens": 20})
    (call,) = slow_llm.get("/calls")["calls"]
    assert (call["status"], call["output_tokens"]) == ("cut", 20)
    assert call["nano_usd"] == 8 * 30_000 + 20 * 60_000


def _hang_up_at_once(service: FakeLlm, body: dict[str, Any]) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(_raw_request(body))
        service.wait_until(lambda spend: spend["in_flight"] == 1)
    service.wait_until(lambda spend: spend["in_flight"] == 0)


def test_calls_are_counted_while_they_are_served(slow_llm: FakeLlm) -> None:
    """`in_flight` rises with a call, in the total and in its group, and falls when it ends."""
    body = {**_HELLO, "max_tokens": 40}
    with socket.create_connection(("127.0.0.1", slow_llm.port), timeout=10) as connection:
        connection.sendall(_raw_request(body))
        slow_llm.wait_until(lambda spend: spend["in_flight"] == 1)
        (group,) = slow_llm.get("/spend", by="model")["groups"]
        assert (group["key"], group["in_flight"], group["calls"]) == ("gpt-4", 1, 0)
        assert b"200 OK" in connection.recv(65536)
    slow_llm.wait_until(lambda spend: spend["in_flight"] == 0)


async def test_the_ledger_is_the_sum_of_what_its_clients_saw(slow_llm: FakeLlm) -> None:
    """50 clients, plain and streamed, some hanging up: equal to the token and the nano-dollar."""
    async with httpx.AsyncClient(base_url=slow_llm.url, timeout=30) as client:
        seen = await asyncio.gather(*(_client(client, number) for number in range(50)))
    complete = {key: usage for whole, _ in seen for key, usage in whole.items()}
    partial = {key: usage for _, cut in seen for key, usage in cut.items()}
    await asyncio.to_thread(slow_llm.wait_until, lambda spend: spend["in_flight"] == 0)
    spend = slow_llm.get("/spend")
    calls = {call["idempotency_key"]: call for call in slow_llm.get("/calls", limit=1000)["calls"]}
    assert complete.keys() | partial.keys() == calls.keys()
    assert len(calls) == spend["calls"] == 200

    for key, call in calls.items():
        used = Usage(call["input_tokens"], 0, call["output_tokens"])
        if key in complete:
            assert (call["status"], used) == ("completed", complete[key])
        else:
            assert used.input_tokens == partial[key].input_tokens
            assert partial[key].output_tokens <= used.output_tokens <= SLOW_OUTPUT_TOKENS
        assert call["nano_usd"] == used.input_tokens * 30_000 + used.output_tokens * 60_000
    assert {call["status"] for call in calls.values()} == {"completed", "cut"}
    for name in ("input_tokens", "output_tokens", "nano_usd"):
        assert spend[name] == sum(call[name] for call in calls.values())
        groups = slow_llm.get("/spend", by="instance")["groups"]
        assert spend[name] == sum(group[name] for group in groups)


async def _client(
    client: httpx.AsyncClient, number: int
) -> tuple[dict[str, Usage], dict[str, Usage]]:
    """Make four calls of the kinds in turn; return the usage of whole and of cut answers."""
    whole, cut = {}, {}
    for turn in range(4):
        key = f"{number}-{turn}"
        headers = {"Idempotency-Key": key, "X-Workflow-Instance": f"i-{number % 7}"}
        kind = ("plain", "streamed", "cut")[(number + turn) % 3]
        body = {**_HELLO, "user": key, "max_tokens": 3 + turn}
        if kind == "plain":
            answer = await client.post("/v1/chat/completions", json=body, headers=headers)
            usage = read_usage(answer.content)
            assert usage is not None
            whole[key] = usage
        elif kind == "streamed":
            whole[key] = await _read_stream(client, body, headers, cut=False)
        else:
            body["max_tokens"] = SLOW_OUTPUT_TOKENS
            cut[key] = await _read_stream(client, body, headers, cut=True)
    return whole, cut


async def _read_stream(
    client: httpx.AsyncClient, body: dict[str, Any], headers: dict[str, str], *, cut: bool
) -> Usage:
    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
    parser, words, usage = EventParser(), 0, None
    path = "/v1/chat/completions"
    async with client.stream("POST", path, json=body, headers=headers) as answer:
        async for piece in answer.aiter_raw():
            for event in parser.feed(piece):
                if event.data != DONE_DATA:
                    words += bool(ChatChunk.model_validate_json(event.data).text())
                    usage = read_usage(event.data) or usage
            if cut and words >= 3:
                return Usage(_INPUT_TOKENS, 0, words)
    assert usage is not None
    return usage


def _error(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error


def test_a_body_that_is_no_json_is_refused(fake_llm: FakeLlm) -> None:
    """400 in OpenAI's shape, and nothing is charged."""
    answer = fake_llm.post(b"{")
    assert answer.status_code == 400
    assert "no valid JSON" in _error(answer)["message"]
    assert fake_llm.get("/spend")["calls"] == 0


def test_all_bad_fields_are_named(fake_llm: FakeLlm) -> None:
    """400, one message for all of them; OpenAI's client raises its own error from it."""
    strange: Any = [{"role": "bot"}]
    with _openai(fake_llm) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="", messages=strange, temperature=9)
    for name in ("model", "messages.0.role", "temperature"):
        assert name in caught.value.message
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"n": 2}, "n > 1"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
    ],
)
def test_what_is_not_supported_is_refused(
    fake_llm: FakeLlm, fields: dict[str, Any], name: str
) -> None:
    """400 that says so, rather than an answer that left it out."""
    answer = fake_llm.post({**_HELLO, **fields})
    assert answer.status_code == 400
    assert name in _error(answer)["message"]


def test_a_prompt_longer_than_the_models_context_is_refused(fake_llm: FakeLlm) -> None:
    """gpt-4 holds 8,192 tokens: 8,186 words and 7 of framing are one too many with any answer."""
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi" + " hi" * 8185}]}
    answer = fake_llm.post(body)
    assert answer.status_code == 400
    assert _error(answer)["code"] == "context_length_exceeded"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_four_mebibytes_is_refused(fake_llm: FakeLlm, *, chunked: bool) -> None:
    """413, whether or not the client says beforehand how much it sends."""
    body = b" " * (4 * 1024 * 1024 + 1)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]

    url = fake_llm.url + "/v1/chat/completions"
    answer = httpx.post(url, content=pieces() if chunked else body)
    assert answer.status_code == 413
    assert _error(answer)["code"] == "request_too_large"


def test_a_body_of_just_four_mebibytes_is_read(fake_llm: FakeLlm) -> None:
    """The limit itself is allowed."""
    body = json.dumps(_HELLO).encode()
    assert fake_llm.post(body + b" " * (4 * 1024 * 1024 - len(body))).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_allowed(fake_llm: FakeLlm, method: str) -> None:
    """405 in OpenAI's shape."""
    answer = httpx.request(method, fake_llm.url + "/v1/chat/completions")
    assert answer.status_code == 405
    assert "use POST" in _error(answer)["message"]


def test_a_compressed_body_is_refused(fake_llm: FakeLlm) -> None:
    """Its bytes are not taken for bad JSON."""
    answer = fake_llm.post(b"\x1f\x8b", Content_Encoding="gzip")
    assert answer.status_code == 400
    assert "Content-Encoding" in _error(answer)["message"]
