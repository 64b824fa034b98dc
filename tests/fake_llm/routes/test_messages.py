import json
import socket
from typing import Any

import anthropic
import httpx
import pytest

from metering.messages import read_event
from metering.sse import EventParser
from tests.fake_llm.conftest import SLOW_OUTPUT_TOKENS, FakeLlm

_MODEL = "claude-sonnet-4-6"
_MESSAGES: Any = [{"role": "user", "content": "hello"}]
_INPUT_TOKENS = 64 + 16 + 16 + 5
"""Upper bound: 64 for the prompt, 16 for the message, 16 for its block, 5 bytes of `hello`."""
_NANO_USD_PER_INPUT, _NANO_USD_PER_OUTPUT = 3_000, 15_000


def _anthropic(service: FakeLlm) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=service.url, api_key="any", max_retries=0)


def _post(service: FakeLlm, **fields: Any) -> httpx.Response:
    body = {"model": _MODEL, "messages": _MESSAGES, "max_tokens": 12, **fields}
    return service.client.post("/v1/messages", json=body)


def test_anthropics_client_reads_a_plain_answer(fake_llm: FakeLlm) -> None:
    """Text, reason and usage, and the ledger has the same."""
    with _anthropic(fake_llm) as client:
        answer = client.messages.create(model=_MODEL, messages=_MESSAGES, max_tokens=12)
    (block,) = answer.content
    assert block.type == "text"
    assert len(block.text.split()) == 12
    assert answer.stop_reason == "max_tokens"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (_INPUT_TOKENS, 12)
    spend = fake_llm.get("/spend")
    assert (spend["input_tokens"], spend["output_tokens"]) == (_INPUT_TOKENS, 12)
    assert spend["nano_usd"] == _INPUT_TOKENS * _NANO_USD_PER_INPUT + 12 * _NANO_USD_PER_OUTPUT


def test_anthropics_client_reads_a_streamed_answer(fake_llm: FakeLlm) -> None:
    """Its accumulated message is the plain one, and its usage the ledger's."""
    with _anthropic(fake_llm) as client:
        asked: dict[str, Any] = {"model": _MODEL, "messages": _MESSAGES, "max_tokens": 100}
        with client.messages.stream(**asked) as stream:
            kinds = [event.type for event in stream]
            message = stream.get_final_message()
    assert {*kinds} >= {
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    }
    (block,) = message.content
    assert block.type == "text"
    assert len(block.text.split()) == 64
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (_INPUT_TOKENS, 64)
    (call,) = fake_llm.get("/calls")["calls"]
    assert (call["input_tokens"], call["output_tokens"]) == (_INPUT_TOKENS, 64)
    assert (call["stream"], call["status"]) == (True, "completed")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_may_have_no_tokens(fake_llm: FakeLlm, *, stream: bool) -> None:
    """`max_tokens` of 0 reads the prompt, answers nothing, and is charged for the prompt."""
    answer = _post(fake_llm, max_tokens=0, stream=stream)
    assert answer.status_code == 200
    (call,) = fake_llm.get("/calls")["calls"]
    assert (call["input_tokens"], call["output_tokens"]) == (_INPUT_TOKENS, 0)
    assert call["status"] == "completed"


def test_a_stream_that_its_client_cuts_is_charged_for_what_was_sent(slow_llm: FakeLlm) -> None:
    """The client stops asking but reads to the end: the ledger has exactly the words it got."""
    fields = {"model": _MODEL, "messages": _MESSAGES, "max_tokens": 1000, "stream": True}
    body = json.dumps(fields).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", slow_llm.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        received = b""
        while len(_words(received)) < 5:
            received += connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
    words = _words(received)
    assert 5 <= len(words) < SLOW_OUTPUT_TOKENS
    (call,) = slow_llm.get("/calls")["calls"]
    assert (call["status"], call["output_tokens"]) == ("cut", len(words))


def _words(raw: bytes) -> list[str]:
    """Return the words of a chunked, streamed answer, wherever it was cut."""
    lines = raw.partition(b"\r\n\r\n")[2].split(b"\r\n")
    events = EventParser().feed(b"".join(line for line in lines if line.startswith(b"event:")))
    return [text for event in events if (text := read_event(event.data).text)]


def test_all_bad_fields_are_named_in_anthropics_shape(fake_llm: FakeLlm) -> None:
    """400; Anthropic's client raises its own error from it; nothing is charged."""
    strange: Any = [{"role": "bot", "content": "x"}]
    with _anthropic(fake_llm) as client, pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model="", messages=strange, max_tokens=-1)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    for name in ("model", "messages.0.role", "max_tokens"):
        assert name in body["error"]["message"]
    assert fake_llm.get("/spend")["calls"] == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stop_sequences": ["x"]}, "stop_sequences"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "image"),
        ({"max_tokens": 10_000_000}, "exceed context limit"),
    ],
)
def test_what_can_not_be_answered_is_refused(
    fake_llm: FakeLlm, fields: dict[str, Any], words: str
) -> None:
    """400 that says so."""
    answer = _post(fake_llm, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert words in answer.json()["error"]["message"]


def test_only_post_is_allowed(fake_llm: FakeLlm) -> None:
    """405 in Anthropic's shape."""
    answer = fake_llm.client.get("/v1/messages")
    assert answer.status_code == 405
    assert answer.json()["type"] == "error"
