"""Laws of repeated calls: one upstream call, one charge, the same answer."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.budget.conftest import DURABLE, StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, until
from tests.support.services import redis_server


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
    assert [e["event"] for e in gateway.events()] == ["reserve", "settle"]


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


async def together(request: dict[str, Any], calls: int) -> list[int]:
    """Make the same call some times at once; return the statuses."""
    async with httpx.AsyncClient(timeout=20) as client:
        answers = await asyncio.gather(*(client.post(**request) for _ in range(calls)))
    return [answer.status_code for answer in answers]


async def test_whoever_waits_for_an_error_tries_in_turn(gateway: RunningGateway) -> None:
    """A call without an answer that can be repeated leaves its key to one of those who wait."""
    request = keyed(gateway, user="fail:500")
    assert await together(request, 5) == [500] * 5
    events = [e["event"] for e in gateway.events()]
    assert events == ["reserve", "release"] * 5


@pytest.mark.parametrize("replica", [0, 1])
async def test_whoever_left_while_it_waited_makes_no_call(
    start_gateway: StartGateway, replica: int
) -> None:
    """Once the call under way fails, those who gave up pay for nothing, at whichever gateway."""
    gateways = [start_gateway(BUDGET_CAP_USD="1") for _ in range(replica + 1)]
    first, url = gateways[0], f"{gateways[replica].url}/v1/chat/completions"
    request = keyed(first, user="wait:1;drop")

    async def give_up(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(**{**request, "url": url}, timeout=0.3)

    async with httpx.AsyncClient(timeout=20) as client:
        failing = asyncio.create_task(client.post(**request))
        await until(first.reserved, "the first call is under way")
        await asyncio.gather(*(give_up(client) for _ in range(3)))
        assert (await failing).status_code == 502
    # It ends when its calls have ended.
    await asyncio.to_thread(gateways[replica].service.stop)
    assert paid(first) == 1


async def test_whoever_waits_too_long_is_told_to_come_again(gateway: RunningGateway) -> None:
    """A little more than a hold's time is the longest wait; a stream may take longer."""
    request = keyed(gateway, stream=True, max_tokens=60, user="pace:0.85;chunks:9;talk")
    assert sorted(await together(request, 2)) == [200, 429]
    decisions = gateway.get("/decisions?limit=1000")["decisions"]
    codes = [d["code"] for d in decisions if d["instance"] == gateway.instance]
    assert sorted(codes) == ["", "idempotency_in_flight"]
    assert gateway.http.post(**request).headers["x-budget-replay"] == "true"
    assert paid(gateway) == 1


def test_half_a_stream_is_not_repeated(gateway: RunningGateway) -> None:
    """A stream that broke off was charged, and is no answer."""
    request = keyed(gateway, stream=True, user="drop")
    for _ in range(2):
        assert "x-budget-replay" not in gateway.http.post(**request).headers
    assert paid(gateway) == 2


async def test_whoever_waits_is_reached_by_a_kill(gateway: RunningGateway) -> None:
    """The next question is a call like any other."""
    request = keyed(gateway, user="wait:0.6")
    calls = asyncio.create_task(together(request, 2))
    await until(gateway.reserved, "the first call is under way")
    order = {"scope": "instance", "id": gateway.instance, "reason": "r", "actor": "a"}
    await asyncio.to_thread(gateway.http.post, f"{gateway.url}/kill", json=order)
    assert sorted(await calls) == [200, 402]


async def test_a_dead_gateway_s_key_is_free_when_its_hold_expires(
    start_gateway: StartGateway,
) -> None:
    """Whoever waited at another gateway makes the call; the dead one's is spent at worst case."""
    settings = {
        "BUDGET_CAP_USD": "1",
        "BUDGET_UPSTREAM_TIMEOUT_S": "1",
        "BUDGET_HOLD_MARGIN_S": "0.5",
    }
    first, second = (start_gateway(**settings) for _ in range(2))
    request = keyed(first, user="wait:0.5")
    async with httpx.AsyncClient(timeout=20) as client:
        lost = asyncio.create_task(client.post(**request))
        await until(first.reserved, "the call is under way")
        url = f"{second.url}/v1/chat/completions"
        waiting = asyncio.create_task(client.post(**{**request, "url": url}))
        first.service.kill()
        await asyncio.gather(lost, return_exceptions=True)
        answer = await waiting
    assert answer.status_code == 200
    assert "x-budget-replay" not in answer.headers
    charged = [e["cost"] or e["state"] for e in second.get("/ledger")["entries"]]
    assert charged.count("EXPIRED_SPENT") == 1
    assert second.total()["spent"]["nano_usd"] == 2 * CALL_NANO_USD


async def test_a_key_is_taken_while_its_call_goes_on_though_the_store_was_away(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """A store that hangs for longer than a hold lives lets nobody pay for the same stream again."""
    settings = {
        "BUDGET_CAP_USD": "1",
        "BUDGET_UPSTREAM_TIMEOUT_S": "1",
        "BUDGET_HOLD_MARGIN_S": "0.5",
    }
    with redis_server(tmp_path, *DURABLE) as (server, port):
        first, second = (start_gateway(f"redis://127.0.0.1:{port}/0", **settings) for _ in range(2))
        request = keyed(first, stream=True, max_tokens=60, user="pace:0.85;chunks:9;talk")
        async with httpx.AsyncClient(timeout=20) as client:
            streaming = asyncio.create_task(client.post(**request))
            await until(first.reserved, "the stream is under way")
            server.process.send_signal(signal.SIGSTOP)
            due_s = time.monotonic() + 2
            await until(lambda: time.monotonic() > due_s, "the hold is past its time")
            server.process.send_signal(signal.SIGCONT)
            await until(second.is_ready, "the store is back")
            url = f"{second.url}/v1/chat/completions"
            again = await client.post(**{**request, "url": url})
            assert (await streaming).status_code == 200
        assert again.headers["x-budget-replay"] == "true"
        assert paid(first) == 1
        assert [e["event"] for e in first.events()] == ["reserve", "settle"]


async def test_a_hold_lives_on_while_a_client_reads_nothing(
    start_gateway: StartGateway, redis_url: str
) -> None:
    """Its stream waits for it, for longer than a hold lives."""
    settings = {"BUDGET_UPSTREAM_TIMEOUT_S": "1", "BUDGET_HOLD_MARGIN_S": "0.5"}
    gateway = start_gateway(BUDGET_CAP_USD="1000", **settings)
    request = keyed(gateway, stream=True, max_tokens=6000, user="chunks:1500;size:16000;talk")
    store = redis.Redis.from_url(redis_url, decode_responses=True)

    def due_unix_s() -> float:
        (hold,) = store.zrange("{budget}:holds", 0, -1)
        return float(store.zscore("{budget}:holds", str(hold)) or 0) / 1000

    async with httpx.AsyncClient(timeout=20) as client, client.stream("POST", **request):
        late_s = time.time() + 8
        await until(lambda: due_unix_s() > late_s, "the hold is renewed again and again")
        assert [e["event"] for e in gateway.events()] == ["reserve"]
    store.close()
