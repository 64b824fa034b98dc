import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

import openai
import pytest
import redis

from budget.client import Budget, async_http_client
from tests.budget.client.desk import asked, calls, totals
from tests.budget.gateways import CALL_NANO_USD, Provider, until

RICH = "1000"


@asynccontextmanager
async def team_of(
    budget: Budget, provider: Provider
) -> AsyncIterator[tuple[openai.AsyncOpenAI, str]]:
    """Give an asynchronous SDK with a budget, of an app of its own."""
    app = token_hex(8)
    async with async_http_client(budget) as http:
        sdk = openai.AsyncOpenAI(
            base_url=f"{provider.url}/v1",
            api_key="k",
            http_client=http,
            max_retries=0,
            default_headers={"X-Workflow-App": app},
        )
        yield sdk, app


def is_charged(redis_url: str, number: int) -> bool:
    """Whether so many calls are charged and nothing is held."""
    found = totals(redis_url)
    return (found.get("spent", 0), found.get("reserved", 0)) == (number * CALL_NANO_USD, 0)


async def test_tasks_together_spend_exactly_the_cap(redis_url: str, provider: Provider) -> None:
    """Of 40 at once 10 pass."""
    async with team_of(Budget(redis_url, cap_usd=calls(10)), provider) as (sdk, app):

        async def status() -> int:
            try:
                await sdk.chat.completions.create(**asked())
            except openai.APIStatusError as error:
                return error.status_code
            return 200

        seen = await asyncio.gather(*(status() for _ in range(40)))
        assert seen.count(200) == len(provider.ledger(app)["calls"]) == 10
    assert is_charged(redis_url, 10)


async def test_a_stream_is_charged_what_it_used(redis_url: str, provider: Provider) -> None:
    """And a refusal of one is an error before its first word."""
    async with team_of(Budget(redis_url, cap_usd=calls(1)), provider) as (sdk, _):
        stream = await sdk.chat.completions.create(**asked(stream=True))
        text = [c.choices[0].delta.content.strip() async for c in stream]
        assert text == ["w0", "w1", "w2", "w3"]
        with pytest.raises(openai.APIStatusError, match="402"):
            await sdk.chat.completions.create(**asked(stream=True))
    assert is_charged(redis_url, 1)


async def test_a_stream_that_is_closed_early_is_charged_its_worst_case(
    redis_url: str, provider: Provider
) -> None:
    """As the blocking one."""
    async with team_of(Budget(redis_url, cap_usd=RICH), provider) as (sdk, _):
        stream = await sdk.chat.completions.create(
            **asked(stream=True, user="pace:0.1;chunks:30;use:20,0,1")
        )
        await anext(stream)
        await stream.close()
        assert is_charged(redis_url, 1)


async def test_a_cancelled_call_is_charged_its_worst_case(
    redis_url: str, provider: Provider
) -> None:
    """The provider may carry it out all the same."""
    async with team_of(Budget(redis_url, cap_usd=RICH), provider) as (sdk, app):
        call = asyncio.create_task(sdk.chat.completions.create(**asked(user="wait:15")))
        await until(lambda: provider.ledger(app)["calls"], "the provider has the call")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await until(lambda: is_charged(redis_url, 1), "the call is charged")


async def test_a_call_that_is_cancelled_while_it_waits_holds_nothing(
    redis_url: str, provider: Provider
) -> None:
    """It waited for the end of the same call, by its idempotency key."""
    key = {"Idempotency-Key": "a:b:1:1"}
    async with team_of(Budget(redis_url, cap_usd=RICH), provider) as (sdk, app):
        body = asked(user="wait:5", extra_headers=key)
        first = asyncio.create_task(sdk.chat.completions.create(**body))
        await until(lambda: provider.ledger(app)["calls"], "the provider has the call")
        second = asyncio.create_task(sdk.chat.completions.create(**body))
        done, _ = await asyncio.wait([second], timeout=0.3)
        assert not done
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        await first
        assert is_charged(redis_url, 1)


async def test_calls_that_are_given_up_keep_no_other_from_passing(
    redis_url: str, provider: Provider
) -> None:
    """While they are reserved, by a store that is slow and well; they hold nothing."""
    async with team_of(Budget(redis_url, cap_usd=RICH), provider) as (sdk, app):
        await sdk.chat.completions.create(**asked())
        with redis.Redis.from_url(redis_url) as connection:
            connection.client_pause(400)
        given_up = [asyncio.create_task(sdk.chat.completions.create(**asked())) for _ in range(60)]
        await asyncio.wait(given_up, timeout=0.2)
        for each in given_up:
            each.cancel()
        found = await asyncio.gather(*given_up, return_exceptions=True)
        assert {type(each) for each in found} == {asyncio.CancelledError}
        await asyncio.gather(*(sdk.chat.completions.create(**asked()) for _ in range(8)))
        await until(lambda: is_charged(redis_url, 9), "only those that waited are charged")
        assert len(provider.ledger(app)["calls"]) == 9


def test_it_works_on_one_loop_after_another(redis_url: str, provider: Provider) -> None:
    """As `asyncio.run` makes them; the connections to the provider are the client's own affair."""

    async def once() -> None:
        async with team_of(Budget(redis_url, cap_usd=RICH), provider) as (sdk, _):
            await sdk.chat.completions.create(**asked())

    asyncio.run(once())
    asyncio.run(once())
    assert is_charged(redis_url, 2)


async def test_a_refusal_is_an_answer(redis_url: str, provider: Provider) -> None:
    """Nothing was sent."""
    async with team_of(Budget(redis_url, cap_usd=0), provider) as (sdk, app):
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.chat.completions.create(**asked())
        assert caught.value.code == "request_exceeds_budget"
        assert not provider.ledger(app)["calls"]
