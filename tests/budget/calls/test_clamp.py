"""Laws of calls that are made smaller so that they fit."""

import pytest

from tests.budget.calls.anthropic_calls import message, request
from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, usd

CLAMP = {"X-Budget-Clamp": "true"}
FIVE_TOKENS = CALL_NANO_USD + 4 * 60_000


@pytest.fixture(scope="module")
def cap() -> str:
    """Give what `hi` with five output tokens may cost, and a little more."""
    return usd(FIVE_TOKENS + 59_999)


@pytest.fixture
def gateway(start_gateway: StartGateway, cap: str) -> RunningGateway:
    """Give a gateway whose instances have so much."""
    return start_gateway(BUDGET_INSTANCE_CAP_USD=cap)


def test_a_call_that_does_not_fit_is_sent_with_what_is_affordable(gateway: RunningGateway) -> None:
    """The answer says to how many tokens it was lowered, and it is stored with that."""
    call = gateway.request(max_tokens=100)
    call["headers"] |= CLAMP | {"Idempotency-Key": f"{gateway.instance}:e:1:1"}
    for is_replay in (False, True):
        answer = gateway.http.post(**call)
        assert answer.status_code == 200
        assert answer.headers["x-budget-clamped-max-tokens"] == "5"
        assert ("x-budget-replay" in answer.headers) == is_replay
    (sent,) = gateway.provider.ledger(gateway.app)["calls"]
    assert sent["body"]["max_tokens"] == 5
    assert "X-Budget-Clamp" not in sent["headers"]
    assert gateway.spent() == FIVE_TOKENS


def test_only_who_asks_for_it_is_clamped(gateway: RunningGateway) -> None:
    """Without the header a call that does not fit is refused, and told what would."""
    answer = gateway.chat(max_tokens=100)
    assert answer.status_code == 402
    assert answer.json()["error"]["budget"]["affordable_output_tokens"] == 5


def test_a_call_that_fits_is_not_touched(gateway: RunningGateway) -> None:
    """And none where not one token is affordable is made."""
    call = gateway.request(max_tokens=5)
    call["headers"] |= CLAMP
    answer = gateway.http.post(**call)
    assert answer.status_code == 200
    assert "x-budget-clamped-max-tokens" not in answer.headers
    refused = gateway.http.post(**call)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")


def test_a_clamped_call_is_one_execution(start_gateway: StartGateway, cap: str) -> None:
    """The store is asked twice, and counts once: the repetition is the second."""
    gateway = start_gateway(BUDGET_INSTANCE_CAP_USD=cap)
    call = gateway.request(max_tokens=100)
    call["headers"] |= CLAMP | {
        "Idempotency-Key": f"{gateway.instance}:e:1:1",
        "X-Workflow-Execution-Id": "e",
        "X-Workflow-Task-Id": "1",
    }
    assert gateway.http.post(**call).status_code == 200
    assert gateway.http.post(**call).headers["x-budget-replay"] == "true"
    assert gateway.get(f"/instances/{gateway.instance}")["most_executions"] == 2


def test_thinking_is_never_clamped_away(start_gateway: StartGateway) -> None:
    """A message keeps room for its thinking budget, or is refused; the setting asks for it.

    3,000 tokens of claude-haiku-4-5 at $5 a million and the prompt: $0.0152 of $0.01.
    """
    gateway = start_gateway(BUDGET_INSTANCE_CAP_USD="0.01", BUDGET_CLAMP="true")
    thinking = {"type": "enabled", "budget_tokens": 2000}
    refused = message(gateway, max_tokens=3000, thinking=thinking)
    assert refused.status_code == 402
    assert refused.json()["error"]["budget"]["affordable_output_tokens"] == 1960
    unwanted = request(gateway, max_tokens=3000)
    unwanted["headers"]["X-Budget-Clamp"] = "false"
    assert gateway.http.post(**unwanted).status_code == 402
    assert message(gateway, max_tokens=3000).headers["x-budget-clamped-max-tokens"] == "1960"
