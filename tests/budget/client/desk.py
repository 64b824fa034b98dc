"""A team's own process: the OpenAI SDK with a budget, and the budget's own figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from types import SimpleNamespace
from typing import Any

import openai
import redis

from budget.client import Budget, http_client
from budget.scopes import GLOBAL
from tests.budget.gateways import CALL_NANO_USD, Provider, usd, wait_until


def calls(number: int) -> str:
    """Return the dollars that so many calls cost."""
    return usd(number * CALL_NANO_USD)


def activity_context(instance: str = "i-1", task: int = 1, execution: str = "e-1") -> Any:
    """Build what the SDK gives to an activity."""
    inner = SimpleNamespace(task_execution_id=execution)
    return SimpleNamespace(workflow_id=instance, task_id=task, get_inner_context=lambda: inner)


@dataclass(frozen=True, slots=True)
class Desk:
    """An SDK with a budget."""

    sdk: openai.OpenAI
    provider: Provider
    app: str
    redis_url: str

    def chat(self, **fields: Any) -> Any:
        """Ask with the least that costs: `hi`, one token."""
        return self.sdk.chat.completions.create(**asked(**fields))

    def provider_calls(self) -> list[dict[str, Any]]:
        """Return what the provider carried out."""
        found: list[dict[str, Any]] = self.provider.ledger(self.app)["calls"]
        return found

    def totals(self) -> dict[str, int]:
        """Return the global counters."""
        return totals(self.redis_url)

    def wait_for(self, spent: int) -> None:
        """Wait until so many calls are charged and nothing is held."""
        wanted = (spent * CALL_NANO_USD, 0)

        def is_so() -> bool:
            found = self.totals()
            return (found.get("spent", 0), found.get("reserved", 0)) == wanted

        wait_until(is_so, f"{spent} calls charged, nothing held")


def asked(**fields: Any) -> dict[str, Any]:
    """Return the arguments of a call."""
    return {
        "model": "gpt-4",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 1,
        **fields,
    }


def totals(redis_url: str) -> dict[str, int]:
    """Return the global counters of a store."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        found = connection.hgetall(GLOBAL.key)
    return {name: int(value) for name, value in found.items() if value.isdecimal()}


@contextmanager
def desk(budget: Budget, provider: Provider, **client_options: Any) -> Iterator[Desk]:
    """Give an SDK with a budget, of an app of its own."""
    app = token_hex(8)
    with http_client(budget, **client_options) as http:
        sdk = openai.OpenAI(
            base_url=f"{provider.url}/v1",
            api_key="k",
            http_client=http,
            max_retries=0,
            default_headers={"X-Workflow-App": app},
        )
        yield Desk(sdk, provider, app, budget.redis_url)
