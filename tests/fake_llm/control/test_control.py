import httpx
import openai
import pytest

from tests.fake_llm.conftest import FakeLlm

_HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
_NANO_USD = 8 * 30_000 + 1 * 60_000


def _call(service: FakeLlm, count: int, **headers: str) -> None:
    for _ in range(count):
        service.post(_HELLO, **headers).raise_for_status()


def test_an_empty_ledger_shows_zeros(fake_llm: FakeLlm) -> None:
    """Every field of the contract is there from the start."""
    nothing = {"usd": "0.000000000", "nano_usd": 0}
    assert fake_llm.get("/spend") == {
        **nothing,
        "calls": 0,
        "input_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
        "duplicate_calls": 0,
        "unpriced_calls": 0,
        "in_flight": 0,
        "per_hour": nothing,
        "per_month": nothing,
        "first_call_unix_ms": None,
        "last_call_unix_ms": None,
    }


def test_the_rate_is_the_last_minute_for_an_hour_and_a_month(fake_llm: FakeLlm) -> None:
    """Two calls of 300,000 nano-dollars are 36,000,000 an hour and 25,920,000,000 in 30 days."""
    _call(fake_llm, 2)
    spend = fake_llm.get("/spend")
    assert spend["per_hour"] == {"usd": "0.036000000", "nano_usd": 2 * _NANO_USD * 60}
    assert spend["per_month"] == {"usd": "25.920000000", "nano_usd": 2 * _NANO_USD * 60 * 720}
    assert 0 < spend["first_call_unix_ms"] <= spend["last_call_unix_ms"]


@pytest.mark.parametrize(
    ("by", "header"),
    [
        ("workflow", "X_Workflow_Name"),
        ("root", "X_Workflow_Root"),
        ("instance", "X_Workflow_Instance"),
        ("activity", "X_Workflow_Activity"),
        ("caller", "X_Workflow_App"),
    ],
)
def test_spend_is_grouped_by_what_the_caller_said(fake_llm: FakeLlm, by: str, header: str) -> None:
    """Two calls of a, one of b, one of nobody: dearest first, nothing in `other`."""
    _call(fake_llm, 2, **{header: "a"})
    _call(fake_llm, 1, **{header: "b"})
    _call(fake_llm, 1)
    spend = fake_llm.get("/spend", by=by)
    assert spend["by"] == by
    shown = [(group["key"], group["calls"], group["nano_usd"]) for group in spend["groups"]]
    assert shown == [("a", 2, 2 * _NANO_USD), ("b", 1, _NANO_USD), ("unknown", 1, _NANO_USD)]
    assert spend["other"]["calls"] == 0
    top = fake_llm.get("/spend", by=by, limit=1)
    assert ([group["key"] for group in top["groups"]], top["other"]["calls"]) == (["a"], 2)


def test_the_feed_of_calls_goes_on_from_its_cursor(fake_llm: FakeLlm) -> None:
    """`next` is what to ask for the next time; an exhausted feed stays where it is."""
    _call(fake_llm, 3)
    first = fake_llm.get("/calls", after=0, limit=2)
    assert (len(first["calls"]), first["dropped"]) == (2, 0)
    assert first["next"] == first["calls"][-1]["seq"]
    second = fake_llm.get("/calls", after=first["next"])
    assert [call["seq"] for call in second["calls"]] == [first["next"] + 1]
    assert fake_llm.get("/calls", after=second["next"]) == {
        "calls": [],
        "next": second["next"],
        "dropped": 0,
    }


def test_a_call_shows_every_field_of_the_contract(fake_llm: FakeLlm) -> None:
    """The entry of an anonymous call."""
    _call(fake_llm, 1)
    (call,) = fake_llm.get("/calls")["calls"]
    started, ended = call.pop("started_unix_ms"), call.pop("ended_unix_ms")
    assert 0 < started <= ended
    assert call.pop("seq") > 0
    unknown = ("app", "workflow", "root", "instance", "activity", "task_id", "execution_id")
    assert call == {
        **dict.fromkeys((*unknown, "idempotency_key"), "unknown"),
        "model": "gpt-4",
        "stream": False,
        "input_tokens": 8,
        "output_tokens": 1,
        "usd": "0.000300000",
        "nano_usd": 300_000,
        "duplicate": False,
        "status": "completed",
    }


def test_a_reset_empties_ledger_and_feed(fake_llm: FakeLlm) -> None:
    """Nothing is left, not in a group either; the first call afterwards is no duplicate."""
    _call(fake_llm, 2, X_Workflow_Instance="i")
    cursor = fake_llm.get("/calls")["next"]
    assert httpx.post(fake_llm.url + "/reset").json() == {"status": "ok"}
    assert fake_llm.get("/spend")["calls"] == 0
    assert fake_llm.get("/spend", by="instance")["groups"] == []
    assert fake_llm.get("/calls") == {"calls": [], "next": cursor, "dropped": 0}
    _call(fake_llm, 1, X_Workflow_Instance="i")
    assert fake_llm.get("/spend")["duplicate_calls"] == 0
    assert [call["seq"] for call in fake_llm.get("/calls", after=cursor)["calls"]] == [cursor + 1]


def test_openais_client_lists_the_priced_models(fake_llm: FakeLlm) -> None:
    """gpt-4 is among them, an unpriced one is not found."""
    with openai.OpenAI(base_url=fake_llm.url + "/v1", api_key="any") as client:
        assert "gpt-4" in {model.id for model in client.models.list()}
        assert client.models.retrieve("gpt-4").id == "gpt-4"
        with pytest.raises(openai.NotFoundError, match="no price for model"):
            client.models.retrieve("no-such-model")


def test_it_says_that_it_is_well(fake_llm: FakeLlm) -> None:
    """`/health` answers without touching the ledger."""
    assert fake_llm.get("/health") == {"status": "ok"}


def test_the_openapi_document_tells_of_every_route(fake_llm: FakeLlm) -> None:
    """The hot route, which goes past FastAPI, is documented too, and its schemas resolve."""
    document = fake_llm.get("/openapi.json")
    assert {"/v1/chat/completions", "/v1/models", "/spend", "/calls", "/reset", "/health"} <= (
        set(document["paths"])
    )
    assert {"ChatRequest", "ChatMessage"} <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/spend?by=colour&limit=0", ["by:", "limit:"]),
        ("/calls?after=-1&limit=99999", ["after:", "limit:"]),
    ],
)
def test_a_bad_query_is_refused_with_every_bad_name(
    fake_llm: FakeLlm, path: str, words: list[str]
) -> None:
    """422, in the one error shape."""
    answer = httpx.get(fake_llm.url + path)
    assert answer.status_code == 422
    for word in words:
        assert word in answer.json()["error"]["message"]


def test_an_unknown_path_is_an_error_in_the_same_shape(fake_llm: FakeLlm) -> None:
    """404 with `error.message` and `error.type`."""
    answer = httpx.get(fake_llm.url + "/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"
