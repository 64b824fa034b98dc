"""The refusal table against the providers' own clients: how many requests each refusal costs."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from budget.access import refusals as access
from budget.calls import refusals
from budget.calls.providers import ANTHROPIC, OPENAI
from budget.calls.refusals import Refusal
from budget.limits import Match, VelocityRule
from budget.scopes import ScopeKind
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from metering.money import NanoUsd
from tests.budget.calls.sdks import CALLS, Outcome, refused
from tests.budget.conftest import DURABLE, StartGateway
from tests.budget.gateways import Provider, RunningGateway, gateway, usd, wait_until
from tests.support.ports import free_port
from tests.support.services import redis_server

SDKS = sorted(CALLS)
CAP_NANO_USD = 2_000_000
"""Two small calls to gpt-4, nine to claude-haiku-4-5."""

RETRIES = 2
"""What both clients do unless told otherwise."""


@pytest.fixture(scope="module")
def poor_gateway(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[RunningGateway]:
    """Give a gateway whose instances have two millionths of a dollar each."""
    with gateway(
        tmp_path_factory.mktemp("poor"),
        f"redis://127.0.0.1:{durable_port}/{next(databases)}",
        provider,
        BUDGET_INSTANCE_CAP_USD=usd(CAP_NANO_USD),
        BUDGET_ZOMBIE_EXECUTIONS="3",
    ) as running_gateway:
        yield running_gateway


@pytest.fixture
def poor(poor_gateway: RunningGateway) -> RunningGateway:
    """Give that gateway with a fresh instance."""
    return poor_gateway.for_another_test()


def headers_of(gateway: RunningGateway, **more: str) -> dict[str, str]:
    """Return the identity of a gateway's test."""
    own: dict[str, str] = gateway.request()["headers"]
    return own | more


def spend_all(gateway: RunningGateway) -> dict[str, str]:
    """Spend more than the instance has."""
    assert gateway.chat(user="use:1000,0,1").status_code == 200
    return {}


def ask_too_much(_gateway: RunningGateway) -> dict[str, Any]:
    """Ask for more than the instance has, of which a part would fit."""
    return {"max_tokens": 8000}


def kill(gateway: RunningGateway) -> dict[str, str]:
    """Stop the instance."""
    order = {"scope": "instance", "id": gateway.instance, "reason": "test", "actor": "test"}
    assert gateway.http.post(f"{gateway.url}/kill", json=order).status_code == 200
    return {}


def execute_again(gateway: RunningGateway) -> dict[str, str]:
    """Execute one activity three times."""
    call = gateway.request()
    call["headers"] |= {
        "X-Workflow-Execution-Id": "e",
        "X-Workflow-Task-Id": "1",
        "Idempotency-Key": f"{gateway.instance}:e:1:1",
    }
    assert [gateway.http.post(**call).status_code for _ in range(3)] == [200, 200, 402]
    return {}


def name_no_model(_gateway: RunningGateway) -> dict[str, str]:
    """Ask for a model that nobody knows."""
    return {"model": "no-such-model"}


def ask_for_images(_gateway: RunningGateway) -> dict[str, Any]:
    """Ask for what has no bound."""
    return {"extra_body": {"container": "c"}}


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize(
    ("prepare", "status", "code"),
    [
        (spend_all, 402, "budget_exceeded"),
        (ask_too_much, 402, "request_exceeds_budget"),
        (kill, 402, "budget_killed"),
        (execute_again, 402, "workflow_not_live"),
        (name_no_model, 400, "unpriced_model"),
        (ask_for_images, 400, "unbounded_cost"),
    ],
)
def test_what_is_refused_for_good_is_asked_once(
    poor: RunningGateway,
    sdk: str,
    prepare: Callable[[RunningGateway], dict[str, Any]],
    status: int,
    code: str,
) -> None:
    """One request, in the provider's own shape."""
    fields = prepare(poor)
    kind = "billing_error" if status == 402 else "invalid_request_error"
    assert refused(sdk, poor.url, headers_of(poor), **fields) == Outcome(status, kind, code, 1)


@pytest.mark.parametrize("sdk", SDKS)
def test_another_body_under_a_key_is_asked_once(poor: RunningGateway, sdk: str) -> None:
    """422, for good."""
    headers = headers_of(poor, **{"Idempotency-Key": f"{poor.instance}:e:1:1"})
    with httpx2.Client() as http:
        CALLS[sdk](poor.url, http, headers, {})
    found = refused(sdk, poor.url, headers, max_tokens=2)
    assert found == Outcome(422, "invalid_request_error", "idempotency_mismatch", 1)


@pytest.mark.parametrize("sdk", SDKS)
def test_money_that_is_only_held_is_asked_for_again(poor: RunningGateway, sdk: str) -> None:
    """429: as often as the client retries."""
    request = poor.request(max_tokens=18, stream=True, user="pace:0.5;chunks:20")
    with poor.http.stream("POST", **request):
        wait_until(lambda: poor.reserved() > 0, "the call holds its money")
        found = refused(sdk, poor.url, headers_of(poor), max_tokens=10)
    assert found == Outcome(429, "rate_limit_error", "budget_in_flight", 1 + RETRIES)


@pytest.mark.parametrize("sdk", SDKS)
def test_spending_too_fast_is_asked_once(
    start_gateway: StartGateway, redis_url: str, sdk: str
) -> None:
    """402: an open velocity is not worth a retry of a client's."""

    async def limit() -> None:
        link = RedisLink(redis_url)
        link.start()
        rule = VelocityRule(ScopeKind.INSTANCE, Match.EACH, "", NanoUsd(1), "60s")
        await LimitBook(link).put_velocity(rule, "test")
        await link.close()

    fast = start_gateway()
    asyncio.run(limit())
    wait_until(lambda: fast.chat().status_code == 402, "the velocity is open")
    found = refused(sdk, fast.url, headers_of(fast))
    assert found == Outcome(402, "billing_error", "budget_velocity_tripped", 1)


@pytest.mark.parametrize("sdk", SDKS)
def test_a_store_that_is_away_is_asked_for_once(
    start_gateway: StartGateway, tmp_path: Path, sdk: str
) -> None:
    """503 with `x-should-retry: false`: closed, and no storm on it."""
    port = free_port()
    with redis_server(tmp_path, *DURABLE, port=port) as (server, _):
        closed = start_gateway(f"redis://127.0.0.1:{port}/0")
        server.kill()
        wait_until(lambda: not closed.is_ready(), "the gateway is closed")
        kind = "service_unavailable" if sdk == "openai" else "api_error"
        found = refused(sdk, closed.url, headers_of(closed))
    assert found == Outcome(503, kind, "budget_store_unavailable", 1)


def behave(sdk: str, how: str) -> dict[str, Any]:
    """Ask the provider to behave so, as its language has it."""
    return {"user": how} if sdk == "openai" else {"metadata": {"user_id": how}}


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("key", [None, "a-key"])
@pytest.mark.parametrize(
    ("how", "answer"),
    [("wait:5", (504, "upstream_timeout")), ("drop", (502, "upstream_interrupted"))],
)
def test_a_call_that_may_have_been_made_is_made_once(
    rich_gateway: RunningGateway, sdk: str, key: str | None, how: str, answer: tuple[int, str]
) -> None:
    """Each try would be charged at its worst case, with an idempotency key too."""
    rich = rich_gateway.for_another_test()
    keyed = {} if key is None else {"Idempotency-Key": f"{rich.instance}:{key}"}
    found = refused(sdk, rich.url, headers_of(rich, **keyed), **behave(sdk, how))
    assert ((found.status, found.code), found.requests) == (answer, 1)
    assert len(rich.provider.ledger(rich.app)["calls"]) == 1
    assert [entry["event"] for entry in rich.events()].count("settle") == 1


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_the_providers_own_errors_are_its_clients_business(
    rich_gateway: RunningGateway, sdk: str, status: int
) -> None:
    """They pass as they are, cost nothing, and the client tries again as it would without us."""
    rich = rich_gateway.for_another_test()
    error, requests = failed(rich, sdk, status)
    assert requests == 1 + RETRIES
    assert "x-should-retry" not in error.response.headers
    assert rich.spent() == 0


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("status", [502, 504, 520, 524])
def test_what_an_edge_lost_is_asked_for_once(
    rich_gateway: RunningGateway, sdk: str, status: int
) -> None:
    """The call may have been made behind it, and is charged."""
    rich = rich_gateway.for_another_test()
    _, requests = failed(rich, sdk, status)
    assert requests == 1
    assert [entry["event"] for entry in rich.events()].count("settle") == 1
    assert rich.spent() > 0


def failed(
    gateway: RunningGateway, sdk: str, status: int
) -> tuple[openai.APIStatusError | anthropic.APIStatusError, int]:
    """Make a call that the provider fails; return the client's error and its requests."""
    requests: list[httpx2.Request] = []
    with (
        httpx2.Client(event_hooks={"request": [requests.append]}) as http,
        pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught,
    ):
        CALLS[sdk](gateway.url, http, headers_of(gateway), behave(sdk, f"fail:{status}"))
    error = caught.value
    assert isinstance(error, openai.APIStatusError | anthropic.APIStatusError)
    assert error.status_code == status
    return error, len(requests)


@pytest.mark.parametrize("sdk", SDKS)
def test_a_provider_that_was_not_reached_is_asked_again(
    start_gateway: StartGateway, sdk: str
) -> None:
    """502, and nothing is charged: as often as the client retries."""
    away = start_gateway(BUDGET_UPSTREAM_URL=f"http://127.0.0.1:{free_port()}")
    found = refused(sdk, away.url, headers_of(away))
    assert (found.status, found.code) == (502, "upstream_unreachable")
    assert (found.requests, away.spent()) == (1 + RETRIES, 0)


@contextmanager
def answering(sdk: str, refusal: Refusal) -> Iterator[str]:
    """Serve a refusal, whatever is asked; yield where."""
    provider = OPENAI if sdk == "openai" else ANTHROPIC
    body = provider.error_body(refusal)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(refusal.status)
            for name, value in (*refusal.headers, (b"content-length", b"%d" % len(body))):
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize(
    ("refusal", "status", "kind", "requests"),
    [
        (access.missing_key(), 401, "authentication_error", 1),
        (access.invalid_key(), 401, "authentication_error", 1),
        (access.needs_data_key(), 403, "permission_error", 1),
        (refusals.too_large(1), 413, None, 1),
        (refusals.unknown_route("POST", "/"), 404, None, 1),
        (refusals.idempotency_in_flight(1), 429, "rate_limit_error", 1 + RETRIES),
    ],
)
def test_refusals_that_need_more_than_a_call_are_read_alike(
    sdk: str, refusal: Refusal, status: int, kind: str | None, requests: int
) -> None:
    """Keys, scopes, sizes and routes: once; a call under way: as often as the client retries."""
    with answering(sdk, refusal) as url:
        found = refused(sdk, url, {})
    assert (found.status, found.code, found.requests) == (status, refusal.code, requests)
    assert kind is None or found.type == kind


@pytest.mark.parametrize("sdk", SDKS)
def test_the_clients_read_answers_and_streams(poor: RunningGateway, sdk: str) -> None:
    """The gateway is invisible while there is money."""
    with httpx2.Client() as http:
        plain = CALLS[sdk](poor.url, http, headers_of(poor), {})
        usage = plain.usage
        assert (usage.completion_tokens if sdk == "openai" else usage.output_tokens) == 1
        stream = list(CALLS[sdk](poor.url, http, headers_of(poor), {"stream": True}))
    if sdk == "openai":
        words = "".join(chunk.choices[0].delta.content for chunk in stream)
        assert words == "w0 w1 w2 w3 "
    else:
        assert stream[-1].type == "message_stop"


def test_the_clients_other_routes_work(poor: RunningGateway) -> None:
    """Embeddings, a stream with its final message, counting, and a model."""
    with httpx2.Client() as http:
        theirs = openai.OpenAI(
            api_key="key",
            base_url=f"{poor.url}/v1",
            default_headers=headers_of(poor),
            http_client=http,
        )
        made = theirs.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
        assert made.usage.prompt_tokens == 8 + 9 + 9
        assert theirs.models.retrieve("gpt-4").id == "gpt-4"
        client = anthropic.Anthropic(
            api_key="key", base_url=poor.url, default_headers=headers_of(poor), http_client=http
        )
        counted = client.messages.count_tokens(
            model="claude-haiku-4-5", messages=[{"role": "user", "content": "hi"}]
        )
        assert counted.input_tokens == 98
        call = client.messages.stream(
            model="claude-haiku-4-5", messages=[{"role": "user", "content": "hi"}], max_tokens=3
        )
        with call as stream:
            final = stream.get_final_message()
    assert (final.usage.input_tokens, final.usage.output_tokens) == (98, 3)
    assert poor.spent() == 26 * 20 + 98 * 1_000 + 3 * 5_000
