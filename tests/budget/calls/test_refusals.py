"""How the real OpenAI client behaves on a refusal, and what an answer says."""

from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import openai
import pytest

from budget.calls import refusals
from budget.decisions import Code, Verdict
from budget.reservations import ScopeBarrier, ScopeTotals
from budget.scopes import GLOBAL, ScopeLimit
from metering.chat import decode_json
from metering.money import NanoUsd
from tests.budget.gateways import CALL_NANO_USD, Provider, RunningGateway, gateway, usd


@pytest.fixture(scope="module")
def poor_gateway(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[RunningGateway]:
    """Give a gateway where each instance may make two small calls."""
    directory = tmp_path_factory.mktemp("poor")
    url = f"redis://127.0.0.1:{durable_port}/{next(databases)}"
    cap = usd(2 * CALL_NANO_USD)
    with gateway(directory, url, provider, BUDGET_INSTANCE_CAP_USD=cap) as running_gateway:
        yield running_gateway


@pytest.fixture
def poor(poor_gateway: RunningGateway) -> RunningGateway:
    """Give that gateway with a fresh instance."""
    return poor_gateway.for_another_test()


class Counted:
    """The OpenAI client with its own defaults, and how many requests it made."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.requests = 0
        request = gateway.request()
        self._http = httpx2.Client(event_hooks={"request": [self._count]})
        self.client = openai.OpenAI(
            api_key="key",
            base_url=f"{gateway.url}/v1",
            default_headers=request["headers"],
            http_client=self._http,
        )

    def _count(self, _request: httpx2.Request) -> None:
        self.requests += 1

    def call(self, **fields: Any) -> Any:
        """Make one call."""
        messages = [{"role": "user", "content": "hi"}]
        body: dict[str, Any] = {"model": "gpt-4", "messages": messages, "max_tokens": 1, **fields}
        with self._http:
            return self.client.chat.completions.create(**body)


def test_the_client_reads_answers_and_streams(poor: RunningGateway) -> None:
    """The gateway is invisible while there is money."""
    plain = Counted(poor).call()
    assert plain.usage.completion_tokens == 1
    counted = Counted(poor)
    with counted.client:
        stream = counted.client.chat.completions.create(
            model="gpt-4", messages=[{"role": "user", "content": "hi"}], max_tokens=1, stream=True
        )
        words = [chunk.choices[0].delta.content for chunk in stream]
    assert words == ["w0 ", "w1 ", "w2 ", "w3 "]


def test_the_client_does_not_repeat_what_a_budget_refused(poor: RunningGateway) -> None:
    """A 402 is one request, and says why."""
    counted = Counted(poor)
    with pytest.raises(openai.APIStatusError) as caught:
        counted.call(max_tokens=1000)
    assert (caught.value.status_code, counted.requests) == (402, 1)
    assert caught.value.code == "request_exceeds_budget"
    assert poor.provider.ledger(poor.app)["calls"] == []


def test_the_client_waits_for_money_that_is_only_held(poor: RunningGateway) -> None:
    """A 429 is tried again after the time that it names, and then served."""
    request = poor.request(max_tokens=16, stream=True, user="use:10,0,1;pace:0.1")
    counted = Counted(poor)
    with httpx.Client(timeout=20) as client, client.stream("POST", **request) as slow:
        slow_is_held = poor.reserved()
        assert counted.call().usage.completion_tokens == 1
        slow.read()
    assert slow_is_held == CALL_NANO_USD + 15 * 60_000
    assert counted.requests >= 2
    assert poor.spent() == CALL_NANO_USD + 360_000


def amounts(limit: int, spent: int, reserved: int) -> ScopeBarrier:
    """Build a global scope that is in the way."""
    return ScopeBarrier(
        ScopeLimit(GLOBAL, NanoUsd(limit)), ScopeTotals(NanoUsd(spent), NanoUsd(reserved)), None
    )


def test_a_refusal_shows_the_money_exactly() -> None:
    """The body has OpenAI's shape and every amount with nine decimals."""
    verdict = Verdict(Code.BUDGET_EXCEEDED, amounts(50_000_000, 49_999_999, 1))
    refusal = refusals.over_limit(verdict, NanoUsd(30_000_000), 100)
    assert refusal.status == 402
    assert dict(refusal.headers) == {b"x-should-retry": b"false"}
    error = decode_json(refusal.body())["error"]
    assert error["type"] == "billing_error"
    assert error["budget"] == {
        "scope": "global",
        "id": "",
        "window": "lifetime",
        "limit_usd": "0.050000000",
        "spent_usd": "0.049999999",
        "reserved_usd": "0.000000001",
        "requested_usd": "0.030000000",
        "resets_at": None,
        "retryable": False,
    }


def test_no_refusal_is_a_409() -> None:
    """Clients repeat a 409 whatever its headers say in some versions: none is ever sent."""
    held = Verdict(Code.BUDGET_IN_FLIGHT, amounts(2, 1, 1))
    spent = Verdict(Code.REQUEST_EXCEEDS_BUDGET, amounts(2, 1, 0), 5)
    all_refusals = [
        refusals.over_limit(held, NanoUsd(1), 100),
        refusals.over_limit(spent, NanoUsd(9), 100),
        refusals.store_unavailable(),
        refusals.overloaded(1),
        refusals.invalid("no"),
        refusals.too_large(1),
        refusals.body_timeout(1),
        refusals.unknown_route("GET", "/"),
        refusals.upstream_unreachable("http://127.0.0.1"),
        refusals.upstream_timeout(1),
        refusals.upstream_silent(1),
        refusals.upstream_interrupted(),
        refusals.upstream_failed(),
    ]
    assert [r.status for r in all_refusals] == [
        *(429, 402, 503, 503, 400, 413, 408, 404, 502, 504, 504, 502, 502),
    ]


def test_only_what_cost_nothing_may_be_tried_again_by_a_client_itself() -> None:
    """Each answer of a provider that failed says so; one that may have been paid for says no."""
    retried = {
        refusal.code: dict(refusal.headers)[b"x-should-retry"]
        for refusal in (
            refusals.upstream_unreachable("http://127.0.0.1"),
            refusals.body_timeout(1),
            refusals.upstream_timeout(1),
            refusals.upstream_interrupted(),
            refusals.beyond_reservation(1),
        )
    }
    assert retried == {
        "upstream_unreachable": b"true",
        "request_timeout": b"true",
        "upstream_timeout": b"false",
        "upstream_interrupted": b"false",
        "output_beyond_limit": b"false",
    }
    assert dict(refusals.upstream_failed().headers) == {b"x-should-retry": b"true"}
