"""Laws of one call's way through a running gateway."""

import json
import socket
from typing import Any

import httpx
import pytest

from metering.sse import EventParser
from metering.tokens import count_text
from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, wait_until
from tests.support.ports import free_port


@pytest.fixture
def gateway(rich_gateway: RunningGateway) -> RunningGateway:
    """Give a gateway that has money, with a timeout of one second."""
    return rich_gateway.for_another_test()


def events(response: httpx.Response) -> list[str]:
    """Return the data of a streamed answer's events."""
    return [event.data for event in EventParser().feed(response.content)]


def settlement(gateway: RunningGateway) -> dict[str, Any]:
    """Wait until nothing is held, and return the ledger's last entry."""
    wait_until(lambda: gateway.reserved() == 0, "every call is closed")
    return gateway.events()[-1]


def test_an_answer_says_what_it_cost(gateway: RunningGateway) -> None:
    """1,000 input tokens, 200 of them cached, and 50 output tokens of gpt-4 cost $0.033."""
    answer = gateway.chat(max_tokens=2000, user="use:1000,200,50")
    assert answer.status_code == 200
    assert answer.headers["x-budget-cost-nano"] == "33000000"
    total = gateway.total()
    left = total["limit"]["nano_usd"] - total["spent"]["nano_usd"]
    assert int(answer.headers["x-budget-remaining-nano"]) == left
    entry = settlement(gateway)
    assert entry["reservation_id"] == answer.headers["x-budget-reservation-id"]
    assert entry["cost"] == {"usd": "0.033000000", "nano_usd": 33_000_000}


def test_the_provider_sees_the_caller_and_a_bounded_request(gateway: RunningGateway) -> None:
    """Identity, key and further fields are forwarded; a missing limit is filled in."""
    request = gateway.request(max_tokens=None, seed=7, metadata={"deep": [1, 2.5]})
    request["headers"] |= {"Authorization": "Bearer k", "Idempotency-Key": "i-1:e:1:1"}
    assert gateway.http.post(**request).status_code == 200
    (call,) = gateway.provider.ledger(gateway.app)["calls"]
    assert call["body"]["max_tokens"] == 1024
    assert call["body"]["seed"] == 7
    assert call["body"]["metadata"] == {"deep": [1, 2.5]}
    assert call["headers"]["X-Workflow-Instance"] == gateway.instance
    assert call["headers"]["Authorization"] == "Bearer k"
    assert call["headers"]["Idempotency-Key"] == "i-1:e:1:1"


def test_a_repeated_field_can_not_make_a_call_dearer_than_its_reservation(
    gateway: RunningGateway,
) -> None:
    """What is priced is what is forwarded."""
    request = gateway.request()
    raw = json.dumps(request.pop("json"))[:-1] + ', "max_tokens": 3}'
    assert gateway.http.post(**request, content=raw).status_code == 200
    (call,) = gateway.provider.ledger(gateway.app)["calls"]
    assert call["body"]["max_tokens"] == 3
    assert gateway.spent() == call["nano_usd"] == CALL_NANO_USD + 2 * 60_000


@pytest.mark.parametrize("options", [None, {"include_usage": False}, {"include_usage": True}])
def test_a_stream_is_charged_by_the_usage_it_ends_with(
    gateway: RunningGateway, options: dict[str, bool] | None
) -> None:
    """The gateway asks for the usage; the client sees it only if it asked itself."""
    answer = gateway.chat(stream=True, stream_options=options, max_tokens=4, user="use:10,0,3")
    assert answer.status_code == 200
    assert answer.headers["x-budget-reservation-id"]
    data = events(answer)
    assert data[-1] == "[DONE]"
    chunks = [json.loads(item) for item in data[:-1]]
    words = [c["choices"][0]["delta"]["content"] for c in chunks if c["choices"]]
    assert words == ["w0 ", "w1 ", "w2 ", "w3 "]
    assert any(not c["choices"] for c in chunks) == bool(options and options["include_usage"])
    assert settlement(gateway)["cost"]["nano_usd"] == 480_000


def test_a_stream_passes_as_it_comes(gateway: RunningGateway) -> None:
    """The first word is there before the last one was sent."""
    request = gateway.request(stream=True, user="pace:0.2")
    with gateway.http.stream("POST", **request) as answer:
        first = next(answer.iter_bytes())
        (call,) = gateway.provider.ledger(gateway.app)["calls"]
        assert b"w0" in first
        assert not call["ended"]


def test_a_stream_longer_than_its_hold_stays_held(gateway: RunningGateway) -> None:
    """A hold is extended while its stream runs, and settled exactly after it."""
    answer = gateway.chat(stream=True, max_tokens=60, user="pace:0.6;chunks:11;talk;use:10,0,1")
    assert events(answer)[-1] == "[DONE]"
    assert [e["event"] for e in gateway.events()] == ["reserve", "settle"]
    assert gateway.spent() == 360_000


@pytest.mark.parametrize(("is_stream", "behaviour"), [(True, "pace:0.15"), (False, "wait:0.5")])
def test_a_client_that_leaves_still_pays_what_the_provider_charged(
    gateway: RunningGateway, behaviour: str, *, is_stream: bool
) -> None:
    """The call is followed to its end, so that it is settled exactly."""
    request = gateway.request(stream=is_stream, user=behaviour)
    body = json.dumps(request["json"]).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Workflow-App: {gateway.app}\r\nX-Workflow-Instance: {gateway.instance}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    address = httpx.URL(gateway.url)
    with socket.create_connection((address.host, address.port or 0)) as client:
        client.sendall(head.encode() + body)
        wait_until(lambda: gateway.reserved() > 0, "the call is under way")
    entry = settlement(gateway)
    (call,) = gateway.provider.ledger(gateway.app)["calls"]
    assert call["ended"]
    assert entry["event"] == "settle"
    assert not entry["estimated"]
    assert entry["cost"]["nano_usd"] == call["nano_usd"] == gateway.spent()


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_of_the_provider_costs_nothing(gateway: RunningGateway, status: int) -> None:
    """It is passed on as it is, and the hold is released."""
    answer = gateway.chat(user=f"fail:{status}")
    assert answer.status_code == status
    assert answer.json() == {"error": {"message": "no"}}
    assert settlement(gateway)["event"] == "release"
    assert gateway.spent() == 0


@pytest.mark.parametrize("status", [502, 504, 520, 524])
def test_an_edge_that_lost_the_answer_is_charged_at_the_worst_case(
    gateway: RunningGateway, status: int
) -> None:
    """Behind a bad gateway or a gateway's time-out the call may have been carried out."""
    answer = gateway.chat(user=f"fail:{status}")
    assert answer.status_code == status
    assert answer.json() == {"error": {"message": "no"}}
    assert answer.headers["x-budget-cost-nano"] == str(CALL_NANO_USD)
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == CALL_NANO_USD == gateway.spent()


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("wait:5", 504, "upstream_timeout"),
        ("drop", 502, "upstream_interrupted"),
        ("no-usage", 200, None),
    ],
)
def test_an_unknown_outcome_is_charged_at_its_worst_case(
    gateway: RunningGateway, behaviour: str, status: int, code: str | None
) -> None:
    """No answer, half an answer, or one that hides its usage: the provider may have charged."""
    answer = gateway.chat(user=behaviour, max_tokens=5)
    assert answer.status_code == status
    assert code is None or answer.json()["error"]["code"] == code
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == CALL_NANO_USD + 4 * 60_000 == gateway.spent()


@pytest.mark.parametrize("behaviour", ["drop", "no-usage", "pace:5"])
def test_a_stream_without_its_usage_is_charged_at_its_worst_case(
    gateway: RunningGateway, behaviour: str
) -> None:
    """A stream that breaks off ends with an error event, and is never charged too little."""
    answer = gateway.chat(stream=True, user=behaviour)
    data = events(answer)
    if behaviour == "no-usage":
        assert data[-1] == "[DONE]"
    else:
        assert json.loads(data[-1])["error"]["type"] == "upstream_error"
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == CALL_NANO_USD
    assert gateway.spent() >= gateway.provider.ledger(gateway.app)["nano_usd"]


@pytest.mark.parametrize("muttering", ["comment", "empty"])
def test_a_stream_that_says_nothing_is_cut(gateway: RunningGateway, muttering: str) -> None:
    """What only keeps a connection open is no answer; it is charged as one that broke off."""
    answer = gateway.chat(stream=True, user=f"mutter:{muttering}")
    assert json.loads(events(answer)[-1])["error"]["code"] == "upstream_silent"
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == CALL_NANO_USD
    assert gateway.reserved() == 0


def test_a_stream_that_says_nothing_is_cut_though_its_client_left(gateway: RunningGateway) -> None:
    """Nobody is there to give it up."""
    with gateway.http.stream("POST", **gateway.request(stream=True, user="mutter:comment")) as left:
        next(left.iter_bytes())
    assert settlement(gateway)["cost"]["nano_usd"] == CALL_NANO_USD


def test_a_stream_that_ends_early_is_charged_at_its_worst_case(gateway: RunningGateway) -> None:
    """A running count is no bill: without an end the provider may have gone on."""
    cut = gateway.chat(stream=True, max_tokens=4, user="running;end:2")
    assert events(cut)[-1] != "[DONE]"
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == CALL_NANO_USD + 3 * 60_000


@pytest.mark.parametrize("behaviour", ["running", "running;finish;end:4"])
def test_a_running_count_is_the_bill_once_the_stream_is_whole(
    gateway: RunningGateway, behaviour: str
) -> None:
    """`[DONE]` or a finish reason says that nothing more comes."""
    gateway.chat(stream=True, max_tokens=4, user=f"{behaviour};use:10,0,3")
    entry = settlement(gateway)
    assert not entry["estimated"]
    assert entry["cost"]["nano_usd"] == 480_000


def test_a_provider_that_can_not_be_reached_costs_nothing(start_gateway: StartGateway) -> None:
    """Nothing was sent, so the hold is released at once."""
    gateway = start_gateway(
        BUDGET_CAP_USD="1", BUDGET_UPSTREAM_URL=f"http://127.0.0.1:{free_port()}"
    )
    answer = gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert settlement(gateway)["event"] == "release"


def test_a_cost_above_the_reservation_is_flagged_never_clipped(gateway: RunningGateway) -> None:
    """A provider that reports more than the bound is charged for in full."""
    answer = gateway.chat(user="use:100,0,1")
    assert answer.headers["x-budget-cost-nano"] == "3060000"
    assert settlement(gateway)["overshoot"]["nano_usd"] == 3_060_000 - CALL_NANO_USD
    metrics = gateway.http.get(f"{gateway.url}/metrics").text
    assert "budget_overshoot_nano_usd 2.1e+06" in metrics


def test_a_cost_beyond_what_the_store_can_count_is_charged_at_the_most(
    start_gateway: StartGateway,
) -> None:
    """An absurd report ends its call, spends the budget, and does not close the gateway."""
    gateway = start_gateway(BUDGET_CAP_USD="1", BUDGET_INSTANCE_CAP_USD="1")
    answer = gateway.chat(user=f"use:{10**15},0,1")
    assert answer.status_code == 200
    assert answer.headers["x-budget-cost-nano"] == "9000000000000000"
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == 9_000_000_000_000_000 == gateway.spent()
    assert entry["overshoot"]["nano_usd"] == 9_000_000_000_000_000 - CALL_NANO_USD
    assert "cost_beyond_the_store" in gateway.service.log.read_text()
    assert gateway.is_ready()
    assert gateway.chat().status_code == 402


def test_unknown_routes_are_never_forwarded(gateway: RunningGateway) -> None:
    """Whatever is not metered does not reach the provider."""
    for method, path in (
        ("POST", "/v1/completions"),
        ("POST", "/v1/responses"),
        ("GET", "/v1/chat/completions"),
        ("GET", "/v1/models/a/b/%2e%2e"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/a%20b"),
        ("GET", f"/calls?app={gateway.app}"),
        ("POST", "/v1/models"),
    ):
        answer = gateway.http.request(method, f"{gateway.url}{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "unknown_route"
    assert gateway.http.get(f"{gateway.url}/v1/models").json() == {"object": "list", "data": []}


def test_a_body_beyond_the_bound_is_refused(gateway: RunningGateway) -> None:
    """4 MiB is the most, with or without a declared length."""
    request = gateway.request()
    del request["json"]
    declared = gateway.http.post(**request, content=b"x" * (4 << 20) + b"x")
    assert declared.status_code == 413
    chunked = gateway.http.post(**request, content=(b"x" * 65536 for _ in range(65)))
    assert chunked.status_code == 413
    assert gateway.provider.ledger(gateway.app)["calls"] == []


def test_a_refused_call_reaches_nobody(gateway: RunningGateway) -> None:
    """An unpriced model and an image are refused before anything is held."""
    unpriced = gateway.chat(model="no-such-model")
    assert (unpriced.status_code, unpriced.json()["error"]["code"]) == (400, "unpriced_model")
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    shown = gateway.chat(messages=[{"role": "user", "content": [image]}])
    assert (shown.status_code, shown.json()["error"]["code"]) == (400, "unbounded_cost")
    assert gateway.chat(service_tier="priority").status_code == 400
    assert gateway.chat(max_tokens=0).status_code == 400
    assert gateway.events() == []
    assert gateway.provider.ledger(gateway.app)["calls"] == []


def test_a_stream_beyond_what_was_reserved_is_cut_and_charged_as_counted(
    gateway: RunningGateway,
) -> None:
    """Words that go on and on end with an error event; what passed is charged at $60 a million."""
    answer = gateway.chat(stream=True, user="chunks:1000;talk;pace:0.01")
    data = events(answer)
    assert json.loads(data[-1])["error"]["code"] == "output_beyond_limit"
    words = "".join(json.loads(item)["choices"][0]["delta"]["content"] for item in data[:-1])
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] >= 900_000 + count_text("gpt-4", words) * 60_000
    assert entry["cost"]["nano_usd"] < 900_000 + 1000 * 60_000
