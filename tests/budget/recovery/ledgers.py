"""A Redis whose past can be put back, and what a rebuild must bring back of the present."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from tests.budget.conftest import DURABLE, StartGateway
from tests.budget.gateways import RunningGateway, wait_until
from tests.support.ports import free_port
from tests.support.services import Service, python_service, redis_server

KEPT = ("spent", "reserved", "calls", "touched")
WINDOWS = ("hour", "day", "week", "month")


@dataclass(slots=True)
class Past:
    """A durable Redis on one port over several lives.

    Attributes:
        folder: Its files.
        port: Where it listens.
        client: Reads it.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = redis.Redis(port=self.port, decode_responses=True)

    @property
    def url(self) -> str:
        """The database of the gateways."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def aof(self) -> Path:
        """Where it keeps what it acknowledged."""
        return self.folder / "appendonlydir"

    @contextmanager
    def running(self) -> Iterator[Service]:
        """Run it until the block ends."""
        with redis_server(self.folder, *DURABLE, port=self.port) as (service, _):
            yield service
        self.client.close()

    def remember(self) -> None:
        """Copy its files as they are."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        shutil.copytree(self.aof, self.folder / "copy")

    def roll_back(self) -> None:
        """Put the copy back; it must not run."""
        shutil.rmtree(self.aof)
        shutil.copytree(self.folder / "copy", self.aof)

    def seq(self) -> int:
        """Return the ledger's last entry."""
        return int(self.client.hget("{budget}:meta", "seq"))

    def money(self) -> dict[str, Any]:
        """Return every counter of money, every open hold, and the whole ledger."""
        return money_in(self.client)


def money_in(client: Any) -> dict[str, Any]:
    """Return every counter of money, every open hold, and the whole ledger of a database."""
    found: dict[str, Any] = {}
    for key in client.scan_iter("{budget}:*", count=1000):
        kind = key.split(":")[1]
        if kind == "scope":
            found[key] = {f: v for f, v in client.hgetall(key).items() if _counts(f)}
        elif kind == "rolling":
            found[key] = client.hgetall(key)
        elif kind == "hold" and client.hget(key, "state") in {"RESERVED", "DISPATCHED"}:
            fields = client.hgetall(key)
            found[key] = {f: fields[f] for f in ("state", "amount", "instance", "scopes", "at")}
    found["holds"] = client.zrange("{budget}:holds", 0, -1, withscores=True)
    found["ledger"] = client.xrange("{budget}:ledger")
    found["meta"] = client.hmget("{budget}:meta", "epoch", "seq", "at")
    return found


def _counts(name: str) -> bool:
    return name in KEPT or (
        name.split(":", maxsplit=1)[0] in WINDOWS and name.split(":")[1] in {"s", "r"}
    )


def reason(gateway: RunningGateway) -> str:
    """Return why a gateway is closed; empty when it is open."""
    found: str = gateway.get("/readyz").get("reason", "")
    return found


def journal_upto(gateway: RunningGateway) -> int:
    """Return up to which entry a gateway's journal is complete."""
    found: int = gateway.get("/recovery")["journal"]["complete_upto"]
    return found


def wait_for_journals(past: Past, *gateways: RunningGateway) -> None:
    """Wait until every journal holds the whole ledger."""
    wait_until(
        lambda: all(journal_upto(gateway) == past.seq() for gateway in gateways),
        "the journals are complete",
    )


def start(
    start_gateway: StartGateway, past: Past, journal: Path, **settings: str
) -> RunningGateway:
    """Start a gateway with a journal."""
    return start_gateway(past.url, BUDGET_JOURNAL_DIR=str(journal), **settings)


def recovery_trip(gateway: RunningGateway) -> dict[str, Any]:
    """Return what was written down of the last recovery."""
    trips = [t for t in gateway.get("/trips")["trips"] if t["kind"] == "recovery"]
    found: dict[str, Any] = trips[-1]
    return found


def confirm(gateway: RunningGateway) -> httpx.Response:
    """Decide to go on."""
    words = {"reason": "its disk is gone", "actor": "ops"}
    return gateway.http.post(f"{gateway.url}/recovery/confirm", json=words)


def sum_of_providers(gateways: list[RunningGateway]) -> int:
    """Return what the provider charged for all of them."""
    return sum(g.provider.ledger(g.app)["nano_usd"] for g in gateways)


def start_closed(gateway: RunningGateway, log_dir: Path) -> AbstractContextManager[Service]:
    """Run a gateway again that need not open."""
    return python_service("budget", log_dir, gateway.env, f"{gateway.url}/healthz")
