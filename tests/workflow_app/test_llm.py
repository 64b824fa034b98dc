import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import uvicorn

from metering.identity import CallerIdentity
from tests.support.ports import free_port
from workflow_app.errors import LlmError, NonRetryableError
from workflow_app.llm import FINAL_STATUSES, KEEPALIVE_S, Answer, LlmClient

GOOD = {
    "choices": [{"message": {"role": "assistant", "content": "Well."}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
}
IDENTITY = CallerIdentity(app="app", instance="i", idempotency_key="i:e:1:1")


class Provider(HTTPServer):
    """Answers every call with the same status and body, and remembers the calls."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body = status, body
        self.calls: list[tuple[dict[str, str], dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append((dict(self.headers.items()), json.loads(sent)))
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)


@contextmanager
def provider(status: int, body: Any) -> Iterator[Provider]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with Provider(status, data) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(port: int) -> Answer:
    client = LlmClient(
        base_url=f"http://127.0.0.1:{port}/v1", model="gpt-4", timeout_s=5, connections=2
    )
    with closing(client):
        return client.complete([{"role": "user", "content": "hi"}], max_tokens=5, identity=IDENTITY)


def test_a_call_carries_identity_and_limits() -> None:
    """Who calls travels in the headers; the body is a plain chat completion request."""
    with provider(200, GOOD) as server:
        assert ask(server.server_port) == Answer("Well.", 7, 2)
    [(headers, body)] = server.calls
    assert IDENTITY.to_headers().items() <= headers.items()
    messages = [{"role": "user", "content": "hi"}]
    assert body == {"model": "gpt-4", "messages": messages, "max_tokens": 5}


@pytest.mark.parametrize("status", sorted(FINAL_STATUSES))
def test_a_final_refusal_is_not_retryable(status: int) -> None:
    """The SDK knows it by the very name of its class, and the message has the provider's words."""
    refusal = {"error": {"message": "no money", "type": "x", "code": "budget_exceeded"}}
    with provider(status, refusal) as server, pytest.raises(NonRetryableError) as caught:
        ask(server.server_port)
    assert type(caught.value).__name__ == "NonRetryableError"
    assert str(caught.value) == f"the LLM answered {status}: budget_exceeded: no money"
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_an_ordinary_error_after_one_call(status: int) -> None:
    """The retry policy decides about the next attempt; the client itself never tries again."""
    with provider(status, b"<html>") as server, pytest.raises(LlmError, match="<html>"):
        ask(server.server_port)
    assert len(server.calls) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"null", {"choices": []}, {**GOOD, "usage": None}])
def test_a_broken_answer_is_an_ordinary_error(body: Any) -> None:
    """A 200 without a completion is no success."""
    with provider(200, body) as server, pytest.raises(LlmError, match="no chat completion"):
        ask(server.server_port)


def test_no_provider_is_an_ordinary_error() -> None:
    """A gateway that restarts fails no workflow for good."""
    with pytest.raises(LlmError, match="no answer from the LLM: ConnectError"):
        ask(free_port())


def test_an_idle_connection_is_given_up_before_the_gateway_closes_it() -> None:
    """Both at once would lose the call that goes out in between."""
    assert uvicorn.Config("gateway:app").timeout_keep_alive > KEEPALIVE_S + 1
