import socket

from tests.fake_llm.conftest import FakeLlm

_HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
_CHAT = "/v1/chat/completions"


def test_every_request_is_counted_by_how_it_ended(fake_llm: FakeLlm) -> None:
    """Answered, refused for a bad body, for a method and on purpose; the sum is all of them."""
    fake_llm.post(_HELLO)
    fake_llm.post({**_HELLO, "stream": True})
    fake_llm.post(b"{")
    fake_llm.client.get(_CHAT)
    fake_llm.post(_HELLO, X_Fake_Fault="fail status=500")
    rows = fake_llm.get("/requests")["requests"]
    assert [(row["status"], row["ended"], row["faults"], row["count"]) for row in rows] == [
        (200, "answered", [], 2),
        (400, "refused", [], 1),
        (405, "refused", [], 1),
        (500, "refused", ["fail"], 1),
    ]
    assert {row["path"] for row in rows} == {_CHAT}


def test_a_client_that_leaves_is_counted_as_gone_or_cut(slow_llm: FakeLlm) -> None:
    """Gone before its body was there, cut while it waited for the answer; no status was sent."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", slow_llm.port), timeout=10) as connection:
        connection.sendall(head % 1000 + b"{")
    body = b'{"model":"gpt-4","messages":[{"role":"user","content":"x"}]}'
    with socket.create_connection(("127.0.0.1", slow_llm.port), timeout=10) as connection:
        connection.sendall(head % len(body) + body)
        slow_llm.wait_until(lambda spend: spend["in_flight"] == 1)
    slow_llm.wait_until(lambda spend: spend["calls"] == 1)
    rows = slow_llm.get("/requests")["requests"]
    assert [(row["status"], row["ended"]) for row in rows] == [(0, "cut"), (0, "gone")]


def test_a_reset_forgets_them(fake_llm: FakeLlm) -> None:
    """As it forgets the money."""
    fake_llm.post(_HELLO)
    fake_llm.client.post("/reset").raise_for_status()
    assert fake_llm.get("/requests") == {"requests": []}
