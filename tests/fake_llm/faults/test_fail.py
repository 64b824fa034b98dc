"""The fault as the providers' own clients meet it."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.fake_llm.conftest import FakeLlm

_MESSAGES: Any = [{"role": "user", "content": "hello"}]
_FAIL = {"kind": "fail", "status": 429, "retry_after_s": 0.01, "times": 2}


def _chat(service: FakeLlm, retries: int, **options: Any) -> str:
    url = f"{service.url}/v1"
    with openai.OpenAI(base_url=url, api_key="any", max_retries=retries) as client:
        answer = client.chat.completions.create(
            model="gpt-4", messages=_MESSAGES, max_tokens=3, **options
        )
        if options.get("stream"):
            return "".join(chunk.choices[0].delta.content or "" for chunk in answer)
        return str(answer.choices[0].message.content)


def _messages(service: FakeLlm, retries: int, **options: Any) -> str:
    with anthropic.Anthropic(base_url=service.url, api_key="any", max_retries=retries) as client:
        answer: Any = client.messages.create(
            model="claude-sonnet-4-6", messages=_MESSAGES, max_tokens=3, **options
        )
        if options.get("stream"):
            deltas = [event.delta for event in answer if event.type == "content_block_delta"]
            return "".join(delta.text for delta in deltas)
        return str(answer.content[0].text)


_ASK = pytest.mark.parametrize(
    ("ask", "path"), [(_chat, "/v1/chat/completions"), (_messages, "/v1/messages")]
)


@_ASK
@pytest.mark.parametrize("stream", [False, True])
def test_the_clients_own_retries_come_through_two_failures(
    fake_llm: FakeLlm, ask: Callable[..., str], path: str, *, stream: bool
) -> None:
    """429, 429, 200: one answer, one charge, and three requests in the books."""
    fake_llm.set_faults(_FAIL)
    options = {"stream": True} if stream else {}
    assert len(ask(fake_llm, 2, **options).split()) == 3
    assert fake_llm.get("/spend")["calls"] == 1
    assert fake_llm.get("/requests")["requests"] == [
        {"path": path, "status": 200, "ended": "answered", "faults": [], "count": 1},
        {"path": path, "status": 429, "ended": "refused", "faults": ["fail"], "count": 2},
    ]
    (fault,) = fake_llm.get("/faults")["faults"]
    assert (fault["hits"], fault["over"]) == (2, True)


def test_openais_client_raises_its_own_error(fake_llm: FakeLlm) -> None:
    """A stream fails with a real status, before its first byte."""
    fake_llm.set_faults({"kind": "fail", "status": 429, "message": "slow down"})
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError, match="slow down") as caught:
            _chat(fake_llm, 0, stream=stream)
        assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
        assert caught.value.response.headers["x-fake-fault"] == "fail"
    assert fake_llm.get("/spend")["calls"] == 0


def test_anthropics_client_raises_its_own_error(fake_llm: FakeLlm) -> None:
    """529 is Anthropic's own status of an overload."""
    fake_llm.set_faults({"kind": "fail", "status": 529})
    with pytest.raises(anthropic.APIStatusError) as caught:
        _messages(fake_llm, 0)
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (529, "overloaded_error")


def test_retry_after_is_said_exactly_and_in_whole_seconds(fake_llm: FakeLlm) -> None:
    """1.2 s is 2 s where only whole seconds can be said."""
    fake_llm.set_faults({"kind": "fail", "status": 503, "retry_after_s": 1.2})
    headers = fake_llm.post({"model": "gpt-4", "messages": _MESSAGES}).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1200")


def test_a_header_fails_one_request(fake_llm: FakeLlm) -> None:
    """The next one, without it, is answered."""
    body = {"model": "gpt-4", "messages": _MESSAGES}
    assert fake_llm.post(body, X_Fake_Fault="fail status=418").status_code == 418
    assert fake_llm.post(body).status_code == 200
    bad = fake_llm.post(body, X_Fake_Fault="fail status=200")
    assert bad.status_code == 400
    assert "X-Fake-Fault" in bad.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/health", "/spend", "/calls", "/requests", "/v1/models"])
def test_control_routes_never_fail(fake_llm: FakeLlm, path: str) -> None:
    """Neither a fault that is set nor a header reaches them."""
    fake_llm.set_faults({"kind": "fail", "status": 500})
    headers = {"X-Fake-Fault": "fail status=500"}
    assert fake_llm.client.get(path, headers=headers).status_code == 200


def test_bad_requests_use_up_no_fault(fake_llm: FakeLlm) -> None:
    """What would be refused anyway is refused as ever."""
    fake_llm.set_faults({"kind": "fail", "status": 500, "times": 1})
    assert fake_llm.post(b"{").status_code == 400
    assert fake_llm.get("/faults")["faults"][0]["hits"] == 0
