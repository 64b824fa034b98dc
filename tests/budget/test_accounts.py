"""Laws of admission under concurrency, on running gateways and the provider's own ledger."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, Provider, RunningGateway, gateway, until, usd

CLIENTS = 300
FITTING = 37
CAP = FITTING * CALL_NANO_USD
"""$0.035520000"""


@pytest.fixture(scope="module")
def strict_gateway(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[RunningGateway]:
    """Give a gateway where each instance may make 37 small calls."""
    directory = tmp_path_factory.mktemp("strict")
    url = f"redis://127.0.0.1:{durable_port}/{next(databases)}"
    with gateway(directory, url, provider, BUDGET_INSTANCE_CAP_USD=usd(CAP)) as running_gateway:
        yield running_gateway


@pytest.fixture
def strict(strict_gateway: RunningGateway) -> RunningGateway:
    """Give the strict gateway with a fresh instance."""
    return strict_gateway.for_another_test()


async def flood(gateway: RunningGateway, **fields: Any) -> "Counter[int]":
    """Make CLIENTS calls at once; return how often each status was answered."""
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(timeout=30, limits=limits) as client:
        answers = await asyncio.gather(
            *(client.post(**gateway.request(**fields)) for _ in range(CLIENTS))
        )
    return Counter(answer.status_code for answer in answers)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_cap_that_fits_k_calls_lets_exactly_k_through(
    strict: RunningGateway, *, is_stream: bool
) -> None:
    """Of 300 at once exactly 37 reach the provider, and it charged the cap to the nano-dollar."""
    statuses = await flood(strict, stream=is_stream)
    assert statuses.pop(200) == FITTING
    assert set(statuses) <= {402, 429}
    ledger = strict.provider.ledger(strict.app)
    assert len(ledger["calls"]) == FITTING
    assert ledger["nano_usd"] == CAP == strict.spent()
    assert strict.reserved() == 0
    assert strict.chat().status_code == 402
    assert len(strict.provider.ledger(strict.app)["calls"]) == FITTING


async def test_a_cap_is_not_passed_by_a_nano_dollar(start_gateway: StartGateway) -> None:
    """One nano-dollar less than 38 calls lets 37 through, and nobody ever again."""
    capped = start_gateway(BUDGET_CAP_USD=usd(CAP + CALL_NANO_USD - 1))
    await flood(capped)
    assert capped.provider.ledger(capped.app)["nano_usd"] == capped.spent() == CAP
    refused = capped.chat(instance="another")
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
    total = capped.total()
    assert total["limit"]["nano_usd"] - total["spent"]["nano_usd"] == CALL_NANO_USD - 1
    assert total["calls"] == FITTING
    assert total["refusals"] == CLIENTS - FITTING + 1
    assert total["cut_off_unix_ms"] is not None


def test_each_instance_has_its_own_limit(strict: RunningGateway) -> None:
    """An instance that spent its money does not stop another; nameless callers share one."""
    dear = FITTING * 16 - 15
    assert strict.chat(max_tokens=dear - 1).status_code == 200
    refused = strict.chat()
    assert refused.status_code == 402
    assert refused.json()["error"]["budget"]["scope"] == "instance"
    assert refused.json()["error"]["budget"]["id"] == strict.instance
    assert strict.chat(instance=f"{strict.instance}-b").status_code == 200
    assert strict.chat(instance="", max_tokens=dear - 1).status_code == 200
    assert strict.chat(instance="unknown").status_code == 402


def test_observing_refuses_nothing_but_at_the_safety_stop(start_gateway: StartGateway) -> None:
    """In mode observe caps are not enforced; the safety stop is a hard limit all the same."""
    observer = start_gateway(
        BUDGET_MODE="observe",
        BUDGET_CAP_USD="0",
        BUDGET_INSTANCE_CAP_USD="0",
        BUDGET_SAFETY_CAP_USD=usd(2 * CALL_NANO_USD),
    )
    assert [observer.chat().status_code for _ in range(4)] == [200, 200, 402, 402]
    total = observer.total()
    assert observer.get("/budgets")["mode"] == "observe"
    assert total["limit"] is None
    assert total["safety_limit"]["nano_usd"] == total["spent"]["nano_usd"] == 2 * CALL_NANO_USD
    assert total["cut_off_unix_ms"] is not None
    assert total["refusals"] == 2


async def test_held_money_is_worth_waiting_for(strict: RunningGateway) -> None:
    """While a call that may turn out cheap holds the rest, another is told to come again."""
    async with httpx.AsyncClient(timeout=20) as client:
        slow = asyncio.create_task(client.post(**strict.request(max_tokens=570, user="wait:1")))
        await until(strict.reserved, "the slow call holds money")
        second = await client.post(**strict.request())
        assert (await slow).status_code == 200
    assert second.status_code == 429
    assert second.headers["x-should-retry"] == "true"
    assert 50 <= int(second.headers["retry-after-ms"]) <= 5000
    error = second.json()["error"]
    assert (error["code"], error["budget"]["retryable"]) == ("budget_in_flight", True)
    assert strict.own()["cut_off_unix_ms"] is None


def test_a_smaller_call_still_fits(strict: RunningGateway) -> None:
    """A refusal that names the affordable output tokens keeps its word: 34.62 M / 60,000."""
    refused = strict.chat(max_tokens=900)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (402, "request_exceeds_budget")
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers
    assert error["budget"]["affordable_output_tokens"] == 577
    assert strict.chat(max_tokens=578).status_code == 402
    assert strict.chat(max_tokens=577).status_code == 200
    assert strict.chat().json()["error"]["code"] == "budget_exceeded"
