"""The whole gateway before the project's fake LLM, whose ledger is the oracle."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.budget.gateways import Provider, RunningGateway, gateway, until
from tests.support.ports import free_port
from tests.support.services import python_service

CAP_NANO_USD = 200_000_000
CLIENTS = 60


@pytest.fixture
def metered(tmp_path: Path, redis_url: str) -> Iterator[RunningGateway]:
    """Give a gateway with a cap of $0.20 before a fake LLM that takes its time."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"FAKE_LLM_PORT": str(port), "FAKE_LLM_ITL_S": "0.01", "FAKE_LLM_OUTPUT_TOKENS": "20"}
    with (
        python_service("fake_llm", tmp_path, env, f"{url}/health"),
        gateway(tmp_path, redis_url, Provider(url), BUDGET_CAP_USD="0.2") as running_gateway,
    ):
        yield running_gateway


async def call(gateway: RunningGateway, client: httpx.AsyncClient, number: int) -> None:
    """Call until refused for good: every third is a stream, every fifth of all leaves early."""
    while True:
        request = gateway.request(max_tokens=30, stream=number % 3 == 0)
        timeout_s = 0.05 if number % 5 == 0 else 30
        with suppress(httpx.TransportError):
            answer = await client.post(**request, timeout=timeout_s)
            if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
                return
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                await asyncio.sleep(int(answer.headers["retry-after-ms"]) / 1000)


async def test_the_budget_and_the_provider_agree_to_the_nano_dollar(
    metered: RunningGateway,
) -> None:
    """Plain calls, streams and clients that leave: both ledgers say the same, within the cap."""
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(limits=limits) as client:
        await asyncio.gather(*(call(metered, client, number) for number in range(CLIENTS)))
    await until(lambda: metered.reserved() == 0, "every call is closed")
    total = metered.total()
    spend = metered.provider.get("/spend")
    assert spend["nano_usd"] == total["spent"]["nano_usd"] <= CAP_NANO_USD
    assert spend["calls"] == total["calls"]
    assert total["cut_off_unix_ms"] is not None
    assert not any(entry["estimated"] for entry in metered.events())
    feed = metered.provider.get("/calls?limit=1000")
    assert {c["status"] for c in feed["calls"]} == {"completed"}
    assert {c["instance"] for c in feed["calls"]} == {metered.instance}
