"""Laws of where calls go, and of what a provider sees of a caller."""

from typing import Any

import pytest

from budget.calls.upstream import response_headers
from budget.settings import Settings
from tests.budget.calls.anthropic_calls import request
from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway
from tests.support.ports import free_port

CREDENTIALS = {
    "Authorization": "Bearer caller",
    "x-api-key": "caller",
    "OpenAI-Organization": "caller",
}


def sent(gateway: RunningGateway, app: str = "") -> dict[str, str]:
    """Return the headers of the last call that the provider got, in lower case."""
    headers: dict[str, str] = gateway.provider.ledger(app)["calls"][-1]["headers"]
    return {name.lower(): value for name, value in headers.items()}


def identified(call: dict[str, Any], gateway: RunningGateway) -> dict[str, Any]:
    """Return a call with all that a client may say of itself."""
    own = {
        "Idempotency-Key": f"{gateway.instance}:e:1:1",
        "X-Workflow-Root": "r",
        "X-Budget-X": "1",
    }
    return call | {"headers": call["headers"] | CREDENTIALS | own}


def test_a_real_provider_gets_the_gateways_key_and_no_identity(start_gateway: StartGateway) -> None:
    """Each gets its own key in its own header; the caller's credentials and workflow stay here."""
    gateway = start_gateway(
        BUDGET_UPSTREAM_KIND="provider",
        BUDGET_UPSTREAM_API_KEY="sk-openai\n",
        BUDGET_ANTHROPIC_API_KEY="sk-anthropic",
    )
    chat = identified(gateway.request(), gateway)
    assert gateway.http.post(**chat).status_code == 200
    headers = sent(gateway)
    assert headers["authorization"] == "Bearer sk-openai"
    assert not headers.keys() & {"x-api-key", "openai-organization", "idempotency-key"}
    assert not [name for name in headers if name.startswith(("x-workflow", "x-budget"))]
    called = identified(request(gateway), gateway)
    called["headers"]["Idempotency-Key"] = f"{gateway.instance}:e:2:1"
    assert gateway.http.post(**called).status_code == 200
    headers = sent(gateway)
    assert headers["x-api-key"] == "sk-anthropic"
    assert headers["anthropic-version"] == "2023-06-01"
    assert not headers.keys() & {"authorization", "openai-organization", "x-workflow-app"}
    log = gateway.service.log.read_text()
    assert "sk-openai" not in log
    assert "sk-anthropic" not in log
    assert gateway.spent() > 0


def test_without_a_key_a_caller_brings_its_own(start_gateway: StartGateway) -> None:
    """And a provider on this machine is taken for the fake one, which sees who calls."""
    gateway = start_gateway()
    assert gateway.http.post(**identified(gateway.request(), gateway)).status_code == 200
    headers = sent(gateway, gateway.app)
    assert headers["authorization"] == "Bearer caller"
    assert headers["openai-organization"] == "caller"
    assert headers["x-workflow-root"] == "r"
    assert headers["idempotency-key"] == f"{gateway.instance}:e:1:1"


def test_anthropic_may_be_elsewhere(start_gateway: StartGateway) -> None:
    """Messages and Anthropic's models go to its own address, all else stays."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    gateway = start_gateway(BUDGET_ANTHROPIC_UPSTREAM_URL=nowhere)
    assert gateway.chat().status_code == 200
    answer = gateway.http.post(**request(gateway))
    assert (answer.status_code, answer.json()["type"]) == (502, "error")
    assert answer.json()["error"]["code"] == "upstream_unreachable"
    models = f"{gateway.url}/v1/models"
    assert gateway.http.get(models).status_code == 200
    theirs = gateway.http.get(models, headers={"anthropic-version": "2023-06-01"})
    assert (theirs.status_code, theirs.json()["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize("name", ["gpt-4o", "ft:gpt-4o:me::id", "org%2Fmodel"])
def test_a_model_is_looked_up_by_its_name(start_gateway: StartGateway, name: str) -> None:
    """It costs nothing and is passed on, an encoded slash as it is."""
    gateway = start_gateway()
    answer = gateway.http.get(f"{gateway.url}/v1/models/{name}?x=1")
    assert answer.json()["id"] == name.replace("%2F", "/")


@pytest.mark.parametrize(
    ("url", "kind", "is_fake"),
    [
        ("http://127.0.0.1:8001", None, True),
        ("http://[::1]:8001", None, True),
        ("http://localhost:8001", None, True),
        ("https://api.openai.com", None, False),
        ("http://fake-llm:8001", None, False),
        ("http://fake-llm:8001", "fake", True),
        ("http://127.0.0.1:8001", "provider", False),
    ],
)
def test_a_provider_on_this_machine_is_fake_unless_it_is_said_to_be_real(
    url: str, kind: Any, *, is_fake: bool
) -> None:
    """Only a fake one has any business with identities."""
    settings = Settings(upstream_url=url, upstream_kind=kind)
    assert {target.sees_identity for target in settings.upstreams.values()} == {is_fake}


def test_keys_do_not_show() -> None:
    """Neither in the settings' text nor in that of what is made of them."""
    settings = Settings(upstream_api_key="sk-1", anthropic_api_key="sk-2")
    shown = f"{settings!r} {settings.upstreams!r}"
    assert "sk-1" not in shown
    assert "sk-2" not in shown


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_is_none_is_an_answer_that_broke_off(
    rich_gateway: RunningGateway, status: int
) -> None:
    """Its caller gets an answer, and the call is charged, for it may have been carried out."""
    gateway = rich_gateway.for_another_test()
    answer = gateway.chat(user=f"fail:{status}")
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_interrupted"
    assert gateway.spent() > 0


def test_headers_that_would_spoil_the_answer_are_left_out() -> None:
    """A control character in a value ends nothing but that header."""
    received = [(b"X-Bad", b"a\x01b"), (b"X-Good", b"a\tb \xe9")]
    assert response_headers(received) == [(b"x-good", b"a\tb \xe9")]
