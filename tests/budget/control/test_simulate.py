"""Laws of a simulated call."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import redis

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, usd

CALL = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}


def simulate(gateway: RunningGateway, call: Mapping[str, Any] = CALL, **more: Any) -> Any:
    """Simulate a call of the gateway's own instance."""
    body = {"body": call, "identity": {"instance": gateway.instance}, **more}
    answer = gateway.http.post(f"{gateway.url}/simulate", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()


def everything(url: str) -> dict[bytes, bytes]:
    """Return every key of a database with its content."""
    with redis.Redis.from_url(url) as client:
        return {key: client.dump(key) or b"" for key in client.scan_iter()}


def test_it_says_what_a_call_would_meet_and_writes_nothing(start_gateway: StartGateway) -> None:
    """Allowed, too dear, and refused for good: every key is as it was, and so are the feeds."""
    gateway = start_gateway(BUDGET_CAP_USD=usd(2 * CALL_NANO_USD))
    gateway.chat()
    url = gateway.env["BUDGET_REDIS_URL"]
    before, decisions = everything(url), gateway.get("/decisions")
    allowed = simulate(gateway)
    dear = simulate(gateway, {**CALL, "max_tokens": 100})
    assert everything(url) == before
    assert gateway.get("/decisions") == decisions
    assert (allowed["decision"], allowed["status"], allowed["code"]) == ("allow", 200, None)
    assert allowed["worst_case"]["nano_usd"] == CALL_NANO_USD
    assert allowed["remaining"]["nano_usd"] == 0
    (barrier,) = allowed["barriers"]
    assert (barrier["scope"], barrier["window"]) == ("global", "lifetime")
    assert barrier["spent"]["nano_usd"] == CALL_NANO_USD
    assert not barrier["is_in_the_way"]
    assert (dear["decision"], dear["status"]) == ("deny", 402)
    assert (dear["code"], dear["affordable_output_tokens"]) == ("request_exceeds_budget", 1)
    assert dear["barriers"][0]["is_in_the_way"]
    assert gateway.chat().status_code == 200
    before = everything(url)
    refused = simulate(gateway)
    assert (refused["code"], everything(url)) == ("budget_exceeded", before)
    assert gateway.chat().json()["error"]["message"] == refused["message"]


def test_it_knows_stops_tenants_and_headers(start_gateway: StartGateway) -> None:
    """A stopped scope refuses it; limits of the tenant and of the headers' workflow are met."""
    gateway = start_gateway()
    for rule in (
        {"scope": "tenant", "value": "acme", "usd": "0", "actor": "a"},
        {"scope": "workflow", "value": "agent", "window": "day", "usd": "1", "actor": "a"},
    ):
        assert gateway.http.put(f"{gateway.url}/limits", json=rule).json() == {"changed": True}
    refused = simulate(gateway, tenant="acme")
    assert refused["code"] == "request_exceeds_budget"
    assert refused["barriers"][0]["id"] == "acme"
    answer = gateway.http.post(
        f"{gateway.url}/simulate", json={"body": CALL}, headers={"X-Workflow-Name": "agent"}
    ).json()
    (barrier,) = answer["barriers"]
    assert (barrier["scope"], barrier["window"]) == ("workflow", "day")
    assert barrier["resets_at_unix_ms"] > 0
    order = {"scope": "instance", "id": gateway.instance, "reason": "r", "actor": "a"}
    gateway.http.post(f"{gateway.url}/kill", json=order)
    assert simulate(gateway)["code"] == "budget_killed"


@pytest.mark.parametrize(
    ("call", "path", "code"),
    [
        ({**CALL, "model": "no-such-model"}, "/v1/chat/completions", "unpriced_model"),
        (CALL, "/v1/nothing", "unknown_route"),
    ],
)
def test_a_call_without_a_price_is_no_error_of_the_question(
    rich_gateway: RunningGateway, call: dict[str, Any], path: str, code: str
) -> None:
    """The answer is what the call itself would be answered."""
    found = simulate(rich_gateway.for_another_test(), call, path=path)
    assert (found["decision"], found["code"], found["barriers"]) == ("deny", code, [])


def test_a_bad_question_is_told_all_at_once(rich_gateway: RunningGateway) -> None:
    """Every bad field is named."""
    answer = rich_gateway.http.post(
        f"{rich_gateway.url}/simulate", json={"path": "x", "identity": {"who": 1}, "tenant": ""}
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_body")
    for name in ("body.path: ", "body.body: ", "body.identity.who: ", "body.tenant: "):
        assert name in error["message"]


@pytest.mark.parametrize("content", ['"\\ud800"', "[" * 400 + "]" * 400])
def test_a_body_that_no_call_could_have_is_refused(
    rich_gateway: RunningGateway, content: str
) -> None:
    """Half a character and endless lists are a 400, as for the call itself, and no failure."""
    body = '{"body": {"model": "gpt-4", "messages": [], "metadata": ' + content + "}}"
    answer = rich_gateway.http.post(
        f"{rich_gateway.url}/simulate",
        content=body,
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["status"]) == (200, 400)
    assert "no valid JSON" in answer.json()["message"]
