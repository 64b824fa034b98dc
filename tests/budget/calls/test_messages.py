"""Laws of Anthropic's messages on their way through a running gateway."""

import json
import socket
from typing import Any

import httpx
import pytest

from metering.sse import EventParser
from tests.budget.calls.anthropic_calls import (
    RESERVED_NANO_USD,
    USED_NANO_USD,
    message,
    request,
)
from tests.budget.gateways import RunningGateway, wait_until


@pytest.fixture
def gateway(rich_gateway: RunningGateway) -> RunningGateway:
    """Give a gateway that has money, with a timeout of one second."""
    return rich_gateway.for_another_test()


def settlement(gateway: RunningGateway) -> dict[str, Any]:
    """Wait until nothing is held, and return the ledger's last entry."""
    wait_until(lambda: gateway.reserved() == 0, "every call is closed")
    return gateway.events()[-1]


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """Return the events of a streamed answer."""
    found = EventParser().feed(answer.content)
    return [(event.event, json.loads(event.data)) for event in found]


def test_a_message_is_held_at_its_worst_case_and_charged_by_its_usage(
    gateway: RunningGateway,
) -> None:
    """The hold has cache writes at the dearest rate, the charge what was used."""
    answer = message(gateway)
    assert answer.status_code == 200
    assert answer.json()["content"][0]["text"] == "one two three "
    assert answer.headers["x-budget-cost-nano"] == str(USED_NANO_USD)
    reserve, settle = gateway.events()
    assert reserve["amount"]["nano_usd"] == RESERVED_NANO_USD
    assert settle["cost"]["nano_usd"] == USED_NANO_USD == gateway.spent()


def test_every_part_of_the_cache_has_its_price(gateway: RunningGateway) -> None:
    """claude-haiku-4-5: 700 x 1,000 + 100 x 100 + 150 x 1,250 + 50 x 2,000 + 40 x 5,000 nano."""
    answer = message(gateway, "use:1000,100,40,150,50", max_tokens=100)
    assert answer.headers["x-budget-cost-nano"] == "1197500"
    assert gateway.provider.ledger(gateway.app)["nano_usd"] == 1_197_500


def test_a_stream_is_charged_by_its_cumulative_usage(gateway: RunningGateway) -> None:
    """The start tells the prompt and one token, the end the total; every event passes."""
    answer = message(gateway, "use:1000,100,40,150,50", stream=True, max_tokens=100)
    names = [name for name, _ in events(answer)]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-2:] == ["message_delta", "message_stop"]
    assert answer.headers["x-budget-reservation-id"]
    assert "x-budget-cost-nano" not in answer.headers
    assert settlement(gateway)["cost"]["nano_usd"] == 1_197_500


@pytest.mark.parametrize("behaviour", ["end", "error"])
def test_a_stream_that_does_not_stop_is_charged_at_its_worst_case(
    gateway: RunningGateway, behaviour: str
) -> None:
    """Without `message_stop` it is not whole, whatever its start reported."""
    answer = message(gateway, behaviour, stream=True)
    assert ("error" in [name for name, _ in events(answer)]) == (behaviour == "error")
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] == RESERVED_NANO_USD


def test_a_stream_that_breaks_off_ends_with_anthropics_error(gateway: RunningGateway) -> None:
    """A provider that says nothing for a second is given up."""
    answer = message(gateway, "pace:5", stream=True)
    name, data = events(answer)[-1]
    assert (name, data["type"], data["error"]["type"]) == ("error", "error", "timeout_error")
    assert settlement(gateway)["cost"]["nano_usd"] == RESERVED_NANO_USD


def test_a_stream_beyond_what_was_reserved_is_cut_and_charged_as_counted(
    gateway: RunningGateway,
) -> None:
    """1 token is reserved, 16 more may be a matter of counting: the 18th word ends it.

    18 words of 4 and 4 and 6 bytes are 84 bytes: 196,000 + 84 x 5,000 nano-dollars.
    """
    answer = message(gateway, "chunks:1000;pace:0.01", stream=True)
    found = events(answer)
    name, data = found[-1]
    assert (name, data["error"]["code"]) == ("error", "output_beyond_limit")
    assert sum(name == "content_block_delta" for name, _ in found) <= 18
    entry = settlement(gateway)
    assert entry["estimated"]
    assert entry["cost"]["nano_usd"] >= 196_000 + 84 * 5_000
    assert entry["overshoot"]["nano_usd"] == entry["cost"]["nano_usd"] - RESERVED_NANO_USD


def test_a_client_that_leaves_a_stream_still_pays_what_it_cost(gateway: RunningGateway) -> None:
    """The call is followed to its end, and settled exactly."""
    call = request(gateway, "pace:0.2", stream=True)
    body = json.dumps(call["json"]).encode()
    headers = "".join(f"{name}: {value}\r\n" for name, value in call["headers"].items())
    address = httpx.URL(gateway.url)
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port or 0)) as client:
        client.sendall(head.encode() + body)
        wait_until(lambda: gateway.reserved() > 0, "the call is under way")
    entry = settlement(gateway)
    assert not entry["estimated"]
    assert entry["cost"]["nano_usd"] == USED_NANO_USD


@pytest.mark.parametrize("status", [400, 429, 529])
def test_an_error_of_anthropic_costs_nothing(gateway: RunningGateway, status: int) -> None:
    """It is passed on as it is."""
    answer = message(gateway, f"fail:{status}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "api_error")
    assert settlement(gateway)["event"] == "release"


def test_a_repeated_message_is_answered_from_the_store(gateway: RunningGateway) -> None:
    """Key and body tell it; a stream is repeated in one piece."""
    call = request(gateway, stream=True)
    call["headers"]["Idempotency-Key"] = f"{gateway.instance}:e:1:1"
    first = gateway.http.post(**call)
    again = gateway.http.post(**call)
    assert again.headers["x-budget-replay"] == "true"
    assert again.content == first.content
    assert len(gateway.provider.ledger(gateway.app)["calls"]) == 1


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"model": "no-such-model"}, "unpriced_model", "model"),
        ({"tools": [{"type": "web_search_20250305"}]}, "unbounded_cost", "tools.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "unbounded_cost",
            "messages",
        ),
        ({"max_tokens": None}, None, "max_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1}}, None, None),
    ],
)
def test_what_can_not_be_bounded_is_refused_in_anthropics_shape(
    gateway: RunningGateway, fields: dict[str, Any], code: str | None, param: str | None
) -> None:
    """400, and nothing is held."""
    answer = message(gateway, **fields)
    document = answer.json()
    assert (answer.status_code, document["type"]) == (400, "error")
    assert document["error"]["type"] == "invalid_request_error"
    assert document["error"]["code"] == code
    assert document["error"].get("param") == param
    assert gateway.events() == []


def test_an_image_is_held_at_its_bound(gateway: RunningGateway) -> None:
    """1,600 tokens and 16 of framing at 2,000 each; of a model without a bound it is refused."""
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    content = [{"type": "text", "text": "hi"}, {"type": "image", "source": source}]
    fields: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    assert message(gateway, **fields).status_code == 200
    amount = gateway.events()[0]["amount"]["nano_usd"]
    assert amount == RESERVED_NANO_USD + 1616 * 2_000
    refused = message(gateway, model="claude-sonnet-5-5", **fields)
    assert refused.json()["error"]["code"] == "unbounded_cost"


def test_counting_tokens_costs_nothing(gateway: RunningGateway) -> None:
    """It is passed on as it is, and holds nothing."""
    call = request(gateway)
    del call["json"]["max_tokens"]
    answer = gateway.http.post(**call | {"url": f"{gateway.url}/v1/messages/count_tokens"})
    assert answer.json() == {"input_tokens": 98}
    assert gateway.events() == []


def test_unknown_routes_below_messages_are_refused_in_anthropics_shape(
    gateway: RunningGateway,
) -> None:
    """Batches and whatever comes: not metered, so not forwarded."""
    answer = gateway.http.post(f"{gateway.url}/v1/messages/batches", json={})
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"


def test_embeddings_cost_their_input(gateway: RunningGateway) -> None:
    """text-embedding-3-small at $0.02: 8 + 2 bounded tokens are 200 nano-dollars."""
    body = {"model": "text-embedding-3-small", "input": "hi"}
    call = gateway.request() | {"url": f"{gateway.url}/v1/embeddings", "json": body}
    answer = gateway.http.post(**call)
    assert answer.json()["data"][0]["embedding"] == [0.5]
    assert answer.headers["x-budget-cost-nano"] == "200"
    assert gateway.spent() == 200
    odd = gateway.http.post(**call | {"json": body | {"input": []}})
    assert (odd.status_code, odd.json()["error"]["param"]) == (400, "input")
    unpriced = gateway.http.post(**call | {"json": body | {"model": "nobody-knows"}})
    assert unpriced.json()["error"]["code"] == "unpriced_model"
