"""A running gateway as its tests see it: calls with an identity of the test's own, and feeds."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx

from metering.money import money_json
from tests.support.http import SHARED_TLS
from tests.support.ports import free_port
from tests.support.services import Service, python_service

CALL_NANO_USD: Final = 960_000
"""What `hi` to gpt-4 with one output token may cost: 30 bounded input tokens at 30,000 each
(16 + 8 for framing, 4 for `user`, 2 for `hi`) and one output token at 60,000."""

DEADLINE_S: Final = 20.0


def usd(nano_usd: int) -> str:
    """Write nano-dollars as settings take them."""
    return f"{nano_usd // 10**9}.{nano_usd % 10**9:09d}"


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Poll until a condition holds; fail after DEADLINE_S."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.01)


async def until(condition: Callable[[], object], what: str) -> None:
    """Poll in a thread, so that a test's own calls go on."""
    await asyncio.to_thread(wait_until, condition, what)


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider of provider.py."""

    url: str

    def get(self, path: str) -> Any:
        """Read one of its documents."""
        return httpx.get(f"{self.url}{path}", verify=SHARED_TLS).json()

    def ledger(self, app: str) -> dict[str, Any]:
        """Return what it carried out for one application."""
        found: dict[str, Any] = self.get(f"/calls?app={app}")
        return found


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway process and its provider, with an application and an instance of the test's own."""

    url: str
    app: str
    instance: str
    service: Service
    provider: Provider
    env: dict[str, str]
    http: httpx.Client = field(repr=False)

    def for_another_test(self) -> "RunningGateway":
        """Return the same gateway, for calls of another application and instance."""
        name = token_hex(8)
        return replace(self, app=name, instance=name)

    def request(self, *, instance: str | None = None, **fields: Any) -> dict[str, Any]:
        """Build the arguments of one call: `hi`, one output token, unless told otherwise."""
        body = {
            "model": "gpt-4",
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 1,
            **fields,
        }
        return {
            "url": f"{self.url}/v1/chat/completions",
            "json": {name: value for name, value in body.items() if value is not None},
            "headers": {
                "X-Workflow-App": self.app,
                "X-Workflow-Instance": self.instance if instance is None else instance,
            },
        }

    def chat(self, **fields: Any) -> httpx.Response:
        """Make one call."""
        return self.http.post(**self.request(**fields))

    def get(self, path: str) -> Any:
        """Read one of the control API's documents."""
        return self.http.get(f"{self.url}{path}").json()

    def total(self) -> dict[str, Any]:
        """Return the global budget."""
        found: dict[str, Any] = self.get("/budgets")["budgets"][0]
        return found

    def own(self) -> dict[str, Any]:
        """Return the budget of the test's own instance, the newest one."""
        budgets = self.get("/budgets?limit=1000")["budgets"]
        found: dict[str, Any] = next(
            (b for b in budgets if b["id"] == self.instance),
            {"spent": money_json(0), "reserved": money_json(0)},
        )
        return found

    def spent(self) -> int:
        """Return what the test's instance spent, in nano-dollars."""
        return int(self.own()["spent"]["nano_usd"])

    def reserved(self) -> int:
        """Return what the test's instance holds, in nano-dollars."""
        return int(self.own()["reserved"]["nano_usd"])

    def is_ready(self) -> bool:
        """Whether calls are let through."""
        return self.http.get(f"{self.url}/readyz").status_code == httpx.codes.OK

    def events(self) -> list[dict[str, Any]]:
        """Return the ledger of the test's instance."""
        entries = self.get("/ledger?limit=1000")["entries"]
        return [entry for entry in entries if entry["instance"] == self.instance]


@contextmanager
def gateway(
    log_dir: Path, redis_url: str, provider: Provider, **settings: str
) -> Iterator[RunningGateway]:
    """Run a gateway until the block ends."""
    port = free_port()
    env = {
        "BUDGET_PORT": str(port),
        "BUDGET_UPSTREAM_URL": provider.url,
        "BUDGET_REDIS_URL": redis_url,
        **settings,
    }
    url = f"http://127.0.0.1:{port}"
    name = token_hex(8)
    with (
        python_service("budget", log_dir, env, f"{url}/readyz") as service,
        httpx.Client(verify=SHARED_TLS, timeout=20) as http,
    ):
        yield RunningGateway(url, name, name, service, provider, env, http)
