"""Two gateways on one durable Redis in front of the fake LLM, asked by many callers at once.

One token of the model `dime` costs $0.01 and its prompts nothing: an answer of ten tokens costs
$0.10, which is also the most that it may cost.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.budget.gateways import DEADLINE_S
from tests.support.ports import free_port
from tests.support.services import Service, running, wait_until_http

MODEL: Final = "dime"
TOKENS: Final = 10
CALL_NANO_USD: Final = 100_000_000
"""$0.10: TOKENS of the price file."""

PATIENCE_S: Final = 30
"""How long a caller comes again after a 429."""

MOST_STARVED: Final = 10
"""How often one caller may meet a starved gateway: for five seconds in a row."""

STARVED: Final = "503 budget_store_unavailable"
_CLOSED: Final = re.compile(r".*store_closed.*")
_OF_STARVATION: Final = re.compile(r"Timeout")

PRICES: Final = f"""\
models:
  {MODEL}: {{input_usd_per_million: 0, output_usd_per_million: 10000}}
"""
CHAT: Final = "/v1/chat/completions"
ADMIN_KEY: Final = "an-operator-who-proves-things"
_ADMIN: Final = {"Authorization": f"Bearer {ADMIN_KEY}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a refusal."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found

    @property
    def kind(self) -> str:
        """The status, and the code of a refusal."""
        return "200" if self.status == 200 else f"{self.status} {self.error['code']}"

    @property
    def is_replay(self) -> bool:
        """Whether it was stored before."""
        return self.headers.get("x-budget-replay") == "true"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The running services, and the callers' one HTTP session.

    Attributes:
        gateways: Base URLs.
        provider: Base URL of the fake LLM.
        session: Without a bound on its connections.
        logs: Of the gateways.
        starved: Every 503 that a caller met who came again.
    """

    gateways: tuple[str, ...]
    provider: str
    session: aiohttp.ClientSession
    logs: tuple[Path, ...]
    starved: list[Answer] = field(default_factory=list)

    async def call(
        self, number: int = 0, headers: dict[str, str] | None = None, **fields: Any
    ) -> Answer:
        """Make a call of $0.10 through the gateway whose turn it is."""
        async with self.calling(number, headers, **fields) as response:
            body = await response.read()
            return Answer(response.status, _lowered(response), body)

    @asynccontextmanager
    async def calling(
        self, number: int = 0, headers: dict[str, str] | None = None, **fields: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Begin such a call; leaving the block before its end hangs up."""
        url = self.gateways[number % len(self.gateways)] + CHAT
        async with self.session.post(url, data=body_of(**fields), headers=headers) as response:
            yield response

    async def persist(
        self, number: int = 0, headers: dict[str, str] | None = None, **fields: Any
    ) -> list[Answer]:
        """Call as the refusals tell: again after a 429, never after a 402.

        Also, a few times, after a 503 of the store: on a machine that starves Redis for a second
        the gateways close. `assert_only_starved` asks their logs for the cause.
        """
        met = 0
        async with asyncio.timeout(PATIENCE_S):
            answers = [await self.call(number, headers, **fields)]
            while answers[-1].status in {429, 503}:
                if answers[-1].status == 503:
                    self.note_starved(answers[-1])
                    met += 1
                    assert met <= MOST_STARVED, f"{met} times 503: {answers[-1].error}"
                wait_ms = int(answers[-1].headers.get("retry-after-ms", 500))
                await asyncio.sleep(wait_ms / 1000)
                answers.append(await self.call(number, headers, **fields))
        return answers

    def note_starved(self, answer: Answer) -> None:
        """Count a 503; it may be of the store alone."""
        assert answer.kind == STARVED, answer.error
        self.starved.append(answer)

    def assert_only_starved(self) -> None:
        """Find the causes of all 503 in the gateways' logs: none but that Redis took too long."""
        causes = [cause for log in self.logs for cause in _CLOSED.findall(log.read_text())]
        other = [cause for cause in causes if not _OF_STARVATION.search(cause)]
        assert not other, f"the gateways closed for another reason: {other}"
        assert causes or not self.starved, f"{len(self.starved)} times 503 without a cause"

    async def calls(self, *, of: range, **fields: Any) -> list[Answer]:
        """Make many calls at once, spread over the gateways."""
        return await asyncio.gather(*(self.call(number, **fields) for number in of))

    async def get(self, url: str) -> Any:
        """Read a document."""
        async with self.session.get(url, headers=_ADMIN) as response:
            response.raise_for_status()
            return await response.json()

    async def send(self, method: str, gateway: int, path: str, document: dict[str, Any]) -> Any:
        """Operate one gateway."""
        url = self.gateways[gateway] + path
        async with self.session.request(method, url, json=document, headers=_ADMIN) as response:
            response.raise_for_status()
            return await response.json()

    async def charged(self) -> dict[str, Any]:
        """Return what the provider says: the sums over all its calls."""
        found: dict[str, Any] = await self.get(f"{self.provider}/spend")
        return found

    async def served(self) -> list[dict[str, Any]]:
        """Return the calls that the provider carried out."""
        found: list[dict[str, Any]] = (await self.get(f"{self.provider}/calls?limit=10000"))[
            "calls"
        ]
        return found

    async def budget(self, gateway: int = 0) -> dict[str, Any]:
        """Return the global budget as one of the gateways shows it."""
        found: dict[str, Any] = (await self.get(f"{self.gateways[gateway]}/budgets"))["budgets"][0]
        return found

    async def ledger(self) -> list[dict[str, Any]]:
        """Return every movement of money."""
        entries: list[dict[str, Any]] = []
        while True:
            after = entries[-1]["seq"] if entries else 0
            page = await self.get(f"{self.gateways[0]}/ledger?limit=1000&after={after}")
            if not page["entries"]:
                return entries
            entries += page["entries"]

    async def at_rest(self) -> None:
        """Wait, by asking, until the provider serves nothing and the gateways hold nothing."""
        async with asyncio.timeout(DEADLINE_S):
            while (await self.charged())["in_flight"] or await self.held():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def held(self) -> int:
        """Return the nano-dollars held by calls in flight."""
        return int((await self.budget())["reserved"]["nano_usd"])


async def assert_books_agree(fleet: Fleet) -> int:
    """Compare the provider's books, the counters and the ledger; return the nano-dollars spent.

    All three were written by different code: none may be off by a nano-dollar, nothing is held,
    nothing was charged above what was held for it.
    """
    await fleet.at_rest()
    charged, entries = await fleet.charged(), await fleet.ledger()
    for number in range(len(fleet.gateways)):
        shown = await fleet.budget(number)
        assert shown["spent"]["nano_usd"] == charged["nano_usd"]
        assert shown["reserved"]["nano_usd"] == 0
        assert shown["calls"] == charged["calls"]
    assert sum(e["spent_delta"]["nano_usd"] for e in entries) == charged["nano_usd"]
    assert sum(e["reserved_delta"]["nano_usd"] for e in entries) == 0
    assert [e["seq"] for e in entries] == list(range(1, len(entries) + 1))
    settled = [e for e in entries if e["event"] == "settle"]
    assert len(settled) == charged["calls"]
    assert not [e for e in settled if e["estimated"] or e["overshoot"]["nano_usd"]]
    return int(charged["nano_usd"])


def body_of(**fields: Any) -> bytes:
    """Write the request of a call of $0.10."""
    request = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": TOKENS,
        **fields,
    }
    return json.dumps(request).encode()


@contextmanager
def services(
    log_dir: Path, redis_url: str, settings: dict[str, str]
) -> Iterator[tuple[str, tuple[str, str], tuple[Path, ...]]]:
    """Run the fake LLM and two gateways; yield their base URLs, and the gateways' logs."""
    prices = log_dir / "prices.yaml"
    prices.write_text(PRICES, encoding="utf-8")
    ports = [free_port() for _ in range(3)]
    provider, *gateways = (f"http://127.0.0.1:{port}" for port in ports)
    shared = {
        "FAKE_LLM_PRICE_FILE": str(prices),
        "BUDGET_PRICE_FILE": str(prices),
        "BUDGET_UPSTREAM_URL": provider,
        "BUDGET_REDIS_URL": redis_url,
        **settings,
    }
    with ExitStack() as stack:

        def start(module: str, env: dict[str, str]) -> Service:
            command = [sys.executable, "-m", module]
            return stack.enter_context(running(module, command, log_dir, shared | env))

        started = [(start("fake_llm", {"FAKE_LLM_PORT": str(ports[0])}), f"{provider}/health")]
        for url, port in zip(gateways, ports[1:], strict=True):
            started.append((start("budget", {"BUDGET_PORT": str(port)}), f"{url}/readyz"))
        for service, ready in started:
            wait_until_http(service, ready)
        logs = tuple(service.log for service, _ in started[1:])
        yield provider, (gateways[0], gateways[1]), logs


def _lowered(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
