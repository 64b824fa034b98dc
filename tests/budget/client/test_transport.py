import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest

from budget.client import Budget, BudgetTransport
from tests.budget.client.desk import asked, calls, desk, totals
from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, Provider
from tests.support.ports import free_port
from tests.support.services import redis_server

RICH = "1000"


def test_a_call_is_charged_what_it_used(redis_url: str, provider: Provider) -> None:
    """The counters are the provider's own ledger, and the answer says what it cost."""
    with desk(Budget(redis_url, cap_usd=calls(10)), provider) as team:
        raw = team.sdk.chat.completions.with_raw_response.create(**asked(user="use:20,0,1"))
        assert raw.parse().choices[0].message.content == "ok"
        charged = team.provider.ledger(team.app)["nano_usd"]
        assert team.totals()["spent"] == charged == 20 * 30_000 + 60_000
        assert raw.headers["x-budget-cost-nano"] == str(charged)
        assert raw.headers["x-budget-remaining-nano"] == str(10 * CALL_NANO_USD - charged)
        assert team.totals()["reserved"] == 0


def test_a_call_beyond_the_cap_is_not_sent(redis_url: str, provider: Provider) -> None:
    """It is answered with the gateway's 402, which the SDK does not retry."""
    with desk(Budget(redis_url, cap_usd=calls(1)), provider) as team:
        retrying = team.sdk.with_options(max_retries=2)
        retrying.chat.completions.create(**asked())
        with pytest.raises(openai.APIStatusError) as caught:
            retrying.chat.completions.create(**asked())
        assert (caught.value.status_code, caught.value.code) == (402, "budget_exceeded")
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert len(team.provider_calls()) == 1
        assert team.totals()["refusals"] == 1


def test_threads_together_spend_exactly_the_cap(redis_url: str, provider: Provider) -> None:
    """Of 40 at once 10 pass; the others are told that it is spent or held."""
    with desk(Budget(redis_url, cap_usd=calls(10)), provider) as team:

        def status(_: int) -> int:
            try:
                team.chat()
            except openai.APIStatusError as error:
                return error.status_code
            return 200

        with ThreadPoolExecutor(20) as pool:
            seen = list(pool.map(status, range(40)))
        assert seen.count(200) == len(team.provider_calls()) == 10
        assert set(seen) <= {200, 402, 429}
        team.wait_for(10)


def test_a_gateway_on_the_same_store_sees_it_all(
    redis_url: str, provider: Provider, start_gateway: StartGateway
) -> None:
    """One budget, whoever asks: what the transport spends is gone for the gateway's callers."""
    gateway = start_gateway(BUDGET_CAP_USD=calls(2))
    with desk(Budget(redis_url, cap_usd=calls(2)), provider) as team:
        team.chat()
        assert gateway.chat().status_code == 200
        assert gateway.chat().status_code == 402
        with pytest.raises(openai.APIStatusError, match="402"):
            team.chat()
        assert gateway.total()["spent"]["nano_usd"] == 2 * CALL_NANO_USD


@pytest.mark.parametrize(
    ("user", "charged"), [("fail:500", 0), ("fail:429", 0), ("fail:502", 1), ("no-usage", 1)]
)
def test_an_answer_without_usage_is_charged_as_by_the_gateway(
    redis_url: str, provider: Provider, user: str, charged: int
) -> None:
    """An error costs nothing, an edge's lost answer or a success without usage the worst case."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        if user.startswith("fail"):
            with pytest.raises(openai.APIStatusError):
                team.chat(user=user)
        else:
            team.chat(user=user)
        team.wait_for(charged)


def test_an_answer_that_breaks_off_is_charged_its_worst_case(
    redis_url: str, provider: Provider
) -> None:
    """The SDK gets its library's own error."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with pytest.raises(openai.APIConnectionError):
            team.chat(user="drop")
        team.wait_for(1)


def test_a_timeout_of_the_sdk_is_charged_its_worst_case(redis_url: str, provider: Provider) -> None:
    """The provider may carry the call out all the same."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        impatient = team.sdk.with_options(timeout=httpx2.Timeout(20, read=0.5))
        with pytest.raises(openai.APITimeoutError):
            impatient.chat.completions.create(**asked(user="wait:10"))
        team.wait_for(1)


def test_no_connection_costs_nothing(redis_url: str) -> None:
    """Nothing was sent."""
    nobody = Provider(f"http://127.0.0.1:{free_port()}")
    with desk(Budget(redis_url, cap_usd=RICH), nobody) as team:
        with pytest.raises(openai.APIConnectionError):
            team.chat()
        team.wait_for(0)


def test_what_cannot_be_metered_is_not_sent(redis_url: str, provider: Provider) -> None:
    """Another route is a 404, an unpriced model a 400; the list of models is free."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with pytest.raises(openai.NotFoundError, match="can be metered"):
            team.sdk.images.generate(prompt="a cat", model="dall-e-3")
        with pytest.raises(openai.BadRequestError, match="no price"):
            team.chat(model="nobody-prices-this")
        assert list(team.sdk.models.list()) == []
        assert not team.provider_calls()


def test_without_a_store_nothing_passes(provider: Provider) -> None:
    """Closed, never open; the message says what is wrong."""
    budget = Budget(f"redis://127.0.0.1:{free_port()}/0", cap_usd=RICH)
    with desk(budget, provider) as team:
        with pytest.raises(openai.APIStatusError, match="Redis") as caught:
            team.chat()
        assert (caught.value.status_code, caught.value.code) == (503, "budget_store_unavailable")
        assert not team.provider_calls()


def test_a_store_that_may_forget_is_refused(tmp_path: Path, provider: Provider) -> None:
    """Unless it is allowed."""
    with redis_server(tmp_path) as (_, port):
        url = f"redis://127.0.0.1:{port}/0"
        with (
            desk(Budget(url, cap_usd=RICH), provider) as team,
            pytest.raises(openai.APIStatusError, match="appendonly"),
        ):
            team.chat()
        with desk(Budget(url, cap_usd=RICH, allow_unsafe_store=True), provider) as team:
            team.chat()


def test_observe_counts_and_refuses_nothing(redis_url: str, provider: Provider) -> None:
    """But for the safety stop."""
    budget = Budget(redis_url, cap_usd=0, mode="observe", safety_cap_usd=calls(2))
    with desk(budget, provider) as team:
        team.chat()
        team.chat()
        with pytest.raises(openai.APIStatusError, match="402"):
            team.chat()


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_both_http_libraries_have_it(redis_url: str, provider: Provider, library: Any) -> None:
    """A client of either gets answers of its own kind, decoded."""
    transport = BudgetTransport(Budget(redis_url, cap_usd=calls(1)))
    with library.Client(transport=transport) as http:
        answers = [http.post(f"{provider.url}/v1/chat/completions", json=asked()) for _ in range(2)]
    assert [type(each) for each in answers] == [library.Response] * 2
    assert [each.status_code for each in answers] == [200, 402]


def test_a_closed_transport_says_so(redis_url: str, provider: Provider) -> None:
    """And its thread has gone when the last one of its budget is closed."""
    transport = BudgetTransport(Budget(redis_url))
    transport.close()
    with httpx.Client(transport=transport) as http, pytest.raises(RuntimeError, match="closed"):
        http.post(f"{provider.url}/v1/chat/completions", json=asked())


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"cap_usd": "much", "mode": "off"}, r"mode: [^;]*; cap_usd: 'much' is no amount[^;]*"),
        ({"cap_usd": 0.5}, r"cap_usd: 0\.5 is no exact amount[^;]*"),
        ({"hold_s": 0}, r"hold_s: [^;]*"),
        ({"tenant": ""}, r"tenant: [^;]*"),
        ({"redis_url": "redis://:s@127.0.0.1:none"}, r"redis_url: the port is a number[^;]*"),
    ],
)
def test_a_bad_budget_is_refused_at_once(wrong: dict[str, Any], line: str) -> None:
    """The error names every wrong argument once, as it is called here."""
    with pytest.raises(ValueError, match=r".") as caught:
        Budget(**wrong)
    assert re.fullmatch(line, str(caught.value))


FORKED = """
import os, sys
import httpx
from budget.client import Budget, http_client

http = http_client(Budget(sys.argv[1], cap_usd="1000"))
request = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
http.post(sys.argv[2], json=request).raise_for_status()
child = os.fork()
if child == 0:
    # The pool of the parent's connections is the user's affair: a client of its own.
    fresh = http_client(Budget(sys.argv[1], cap_usd="1000"))
    os._exit(0 if fresh.post(sys.argv[2], json=request).is_success else 1)
assert os.waitpid(child, 0)[1] == 0
http.post(sys.argv[2], json=request).raise_for_status()
"""


def test_a_forked_process_has_a_thread_of_its_own(redis_url: str, provider: Provider) -> None:
    """As workers of a server do that loads the app before it forks."""
    command = [sys.executable, "-c", FORKED, redis_url, f"{provider.url}/v1/chat/completions"]
    subprocess.run(command, check=True, timeout=40)
    assert totals(redis_url)["spent"] == 3 * CALL_NANO_USD


def test_the_import_needs_no_server() -> None:
    """Neither FastAPI nor uvicorn, nor gRPC or the Dapr SDK."""
    heavy = {"fastapi", "starlette", "uvicorn", "grpc", "dapr"}
    code = f"import budget.client, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "[]\n"


def test_it_says_why_it_is_closed(redis_url: str) -> None:
    """For a health check; None when calls are let through."""
    for url, reason in ((redis_url, None), (f"redis://127.0.0.1:{free_port()}/0", "Redis")):
        with BudgetTransport(Budget(url)) as transport:
            found = transport.closed_because
            assert (found is None) if reason is None else (reason in str(found))
