from typing import Any

import anthropic
import openai
import pytest

from budget.client import (
    Budget,
    NonRetryableError,
    activity,
    async_http_client,
    http_client,
    non_retryable,
)
from budget.limits import LimitRule, Match
from budget.scopes import ScopeKind, Window
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from metering.money import NanoUsd
from tests.budget.calls.anthropic_calls import RESERVED_NANO_USD, USED_NANO_USD
from tests.budget.client.desk import activity_context, asked, calls, desk, totals
from tests.budget.gateways import CALL_NANO_USD, Provider, usd, wait_until

RICH = "1000"
MESSAGE: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 1,
}


def claude(budget: Budget, provider: Provider) -> anthropic.Anthropic:
    """Return Anthropic's SDK with a budget."""
    return anthropic.Anthropic(
        base_url=provider.url, api_key="k", http_client=http_client(budget), max_retries=2
    )


def test_a_message_is_charged_what_it_used(redis_url: str, provider: Provider) -> None:
    """To the token, whatever was reserved."""
    with claude(Budget(redis_url, cap_usd=usd(RESERVED_NANO_USD)), provider) as sdk:
        assert sdk.messages.create(**MESSAGE).type == "message"
        assert totals(redis_url)["spent"] == USED_NANO_USD


def test_a_refused_message_has_anthropics_shape(redis_url: str, provider: Provider) -> None:
    """With the budget's code inside, which the helper finds."""
    with claude(Budget(redis_url, cap_usd=0), provider) as sdk:
        with pytest.raises(anthropic.APIStatusError) as caught:
            sdk.messages.create(**MESSAGE)
        body = caught.value.response.json()
        assert (body["type"], body["error"]["type"]) == ("error", "billing_error")
        with pytest.raises(NonRetryableError) as final, non_retryable():
            sdk.messages.create(**MESSAGE)
        assert (final.value.status, final.value.code) == (402, "request_exceeds_budget")
    assert totals(redis_url)["refusals"] == 2


def test_a_streamed_message_is_charged_what_it_used(redis_url: str, provider: Provider) -> None:
    """Closed early it is charged its worst case."""
    with claude(Budget(redis_url, cap_usd=RICH), provider) as sdk:
        with sdk.messages.stream(**MESSAGE) as stream:
            assert "".join(stream.text_stream)
        wait_until(lambda: totals(redis_url)["spent"] == USED_NANO_USD, "the exact charge")
        with sdk.messages.stream(**MESSAGE) as stream:
            next(iter(stream))
        spent = USED_NANO_USD + RESERVED_NANO_USD
        wait_until(lambda: totals(redis_url)["spent"] == spent, "the worst case")
        assert totals(redis_url)["reserved"] == 0


async def test_an_asynchronous_message(redis_url: str, provider: Provider) -> None:
    """The same with asyncio."""
    async with anthropic.AsyncAnthropic(
        base_url=provider.url,
        api_key="k",
        http_client=async_http_client(Budget(redis_url, cap_usd=RICH)),
    ) as sdk:
        async with sdk.messages.stream(**MESSAGE) as stream:
            assert [text async for text in stream.text_stream]
        assert (await sdk.messages.count_tokens(**counted())).input_tokens > 0
    assert totals(redis_url)["spent"] == USED_NANO_USD


def counted() -> dict[str, Any]:
    """Return what tokens are counted of: a route that is free."""
    return {name: value for name, value in MESSAGE.items() if name != "max_tokens"}


def test_embeddings_are_metered(redis_url: str, provider: Provider) -> None:
    """They have input alone."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        team.sdk.embeddings.create(model="text-embedding-3-small", input="hello")
        charged = team.provider.ledger(team.app)["nano_usd"]
        assert team.totals()["spent"] == charged > 0


def test_a_base_with_a_path_of_its_own(redis_url: str, provider: Provider) -> None:
    """A provider's base may be anywhere; the route is what comes after it."""
    with desk(Budget(redis_url, cap_usd=0), provider) as team:
        other = team.sdk.with_options(base_url=f"{provider.url}/api/some/v1")
        with pytest.raises(openai.APIStatusError, match="402"):
            other.chat.completions.create(**asked())
        versionless = team.sdk.with_options(base_url=f"{provider.url}/openai/deployments/x")
        with pytest.raises(openai.APIStatusError, match="402"):
            versionless.chat.completions.create(**asked())


async def test_rules_in_the_store_hold_with_the_next_call(
    redis_url: str, provider: Provider, link: RedisLink
) -> None:
    """Set by an operator, for a gateway and a transport alike."""
    book = LimitBook(link)
    with desk(Budget(redis_url, tenant="team-a"), provider) as team:
        team.chat()
        limit = NanoUsd(2 * CALL_NANO_USD)
        rule = LimitRule(ScopeKind.TENANT, Window.DAY, Match.ID, "team-a", limit)
        await book.put(rule, "tests")
        team.chat()
        with pytest.raises(NonRetryableError) as caught, non_retryable():
            team.chat()
        assert caught.value.budget["scope"] == "tenant"
    with desk(Budget(redis_url, tenant="team-b"), provider) as team:
        team.chat()


def test_a_call_is_made_smaller_where_that_is_wanted(redis_url: str, provider: Provider) -> None:
    """By the budget, or by a header; the answer says so."""
    with desk(Budget(redis_url, cap_usd=calls(1), clamp=True), provider) as team:
        answer = team.sdk.chat.completions.with_raw_response.create(**asked(max_tokens=500))
        assert answer.headers["x-budget-clamped-max-tokens"] == "1"
        assert team.provider_calls()[0]["body"]["max_tokens"] == 1
        with pytest.raises(openai.APIStatusError, match="402"):
            team.chat(max_tokens=500, extra_headers={"x-budget-clamp": "false"})


def test_a_stream_beyond_its_limit_is_cut(redis_url: str, provider: Provider) -> None:
    """The provider sends more than it was asked for: the caller gets an error, and pays for it."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        stream = team.chat(stream=True, user="chunks:60;talk")
        with pytest.raises(openai.APIError, match="did not stop"):
            list(stream)
        wait_until(lambda: team.totals()["reserved"] == 0, "it is settled")
        assert team.totals()["spent"] > CALL_NANO_USD


def test_only_a_provider_on_this_machine_sees_who_calls(redis_url: str, provider: Provider) -> None:
    """Here it is one: it sees the activity, told by the context alone."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with activity(activity_context("i-9"), workflow="agent"):
            team.chat()
        headers = team.provider_calls()[0]["headers"]
        assert (headers["X-Workflow-Instance"], headers["X-Workflow-Name"]) == ("i-9", "agent")
