"""Laws of repeated calls: one upstream call, one charge, the same answer."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, until


@pytest.fixture
def gateway(rich_gateway: RunningGateway) -> RunningGateway:
    """Give a gateway that has money, with a timeout of one second."""
    return rich_gateway.for_another_test()


def keyed(gateway: RunningGateway, key: str = "1", **fields: Any) -> dict[str, Any]:
    """Build the arguments of a call with an idempotency key of the test's own."""
    request = gateway.request(**fields)
    request["headers"]["Idempotency-Key"] = f"{gateway.instance}:e:1:{key}"
    return request


def paid(gateway: RunningGateway) -> int:
    """Count the calls that reached the provider."""
    return len(gateway.provider.ledger(gateway.app)["calls"])


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_repeated_call_gets_the_same_answer_for_nothing(
    gateway: RunningGateway, *, is_stream: bool
) -> None:
    """Status, headers and body are those of the first answer; nothing is held or charged."""
    request = keyed(gateway, stream=is_stream)
    first, second = (gateway.http.post(**request) for _ in range(2))
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "x-budget-replay" not in first.headers
    assert second.headers["x-budget-replay"] == "true"
    assert second.headers["x-budget-cost-nano"] == "0"
    name = "x-budget-reservation-id"
    assert second.headers[name] == first.headers[name]
    assert paid(gateway) == 1
    assert gateway.spent() == CALL_NANO_USD
    assert [e["event"] for e in gateway.events()] == ["reserve", "dispatch", "settle"]


def test_another_request_under_a_used_key_is_refused(gateway: RunningGateway) -> None:
    """One byte is enough; the first answer stays."""
    request = keyed(gateway)
    gateway.http.post(**request)
    other = gateway.http.post(**keyed(gateway, max_tokens=2))
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")
    assert other.headers["x-should-retry"] == "false"
    assert gateway.http.post(**request).headers["x-budget-replay"] == "true"
    assert paid(gateway) == 1


def test_an_answer_never_reaches_another_credential(gateway: RunningGateway) -> None:
    """The same key and body under another Authorization is another call."""
    for credential in ("Bearer a", "Bearer b"):
        request = keyed(gateway)
        request["headers"]["Authorization"] = credential
        assert "x-budget-replay" not in gateway.http.post(**request).headers
    assert paid(gateway) == 2


@pytest.mark.parametrize("behaviour", ["fail:400", "fail:500", "fail:502"])
def test_an_error_is_not_repeated(gateway: RunningGateway, behaviour: str) -> None:
    """A call that ended without an answer leaves its key to the next."""
    request = keyed(gateway, user=behaviour)
    assert [gateway.http.post(**request).status_code for _ in range(2)] == [int(behaviour[5:])] * 2
    assert gateway.http.get(f"{gateway.url}/healthz").status_code == 200
    decisions = gateway.get("/decisions?limit=1000")["decisions"]
    own = [d["decision"] for d in decisions if d["instance"] == gateway.instance]
    assert own == ["allow", "allow"]


async def test_a_hundred_calls_at_two_gateways_are_one(start_gateway: StartGateway) -> None:
    """Twenty at once, on two replicas: one reaches the provider, 99 get its answer."""
    gateways = [start_gateway(BUDGET_CAP_USD="1") for _ in range(2)]
    first = gateways[0]
    request = keyed(first, user="wait:0.3")
    turns = asyncio.Semaphore(20)

    async def call(client: httpx.AsyncClient, number: int) -> httpx.Response:
        async with turns:
            url = f"{gateways[number % 2].url}/v1/chat/completions"
            return await client.post(**{**request, "url": url})

    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(*(call(client, number) for number in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    replays = Counter(answer.headers.get("x-budget-replay") for answer in answers)
    assert replays == {"true": 99, None: 1}
    assert paid(first) == 1
    assert first.spent() == CALL_NANO_USD
    assert first.get(f"/instances/{first.instance}")["replays"] == 99


async def test_the_answer_to_a_client_that_left_is_kept(gateway: RunningGateway) -> None:
    """The call is followed to its end, so the next one has its answer."""
    request = keyed(gateway, user="wait:0.4")
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(**request, timeout=0.2)
    second = await asyncio.to_thread(gateway.http.post, **request)
    assert second.headers["x-budget-replay"] == "true"
    assert paid(gateway) == 1
    await until(lambda: gateway.spent() == CALL_NANO_USD, "one call is charged")


def test_nothing_is_repeated_where_it_is_switched_off(start_gateway: StartGateway) -> None:
    """In mode observe, and with BUDGET_REPLAY=false, each call is a call."""
    for settings in ({"BUDGET_MODE": "observe"}, {"BUDGET_REPLAY": "false"}):
        gateway = start_gateway(**settings).for_another_test()
        request = keyed(gateway)
        answers = [gateway.http.post(**request) for _ in range(2)]
        assert not any("x-budget-replay" in answer.headers for answer in answers)
        assert paid(gateway) == 2
