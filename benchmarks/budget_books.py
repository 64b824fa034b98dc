"""Whether what a gateway charged is what its upstream served."""

import time
from typing import Any, Final

import httpx

from benchmarks.budget_contestants import Contestant
from benchmarks.fixed_upstream import USAGE
from metering.prices import PriceBook

SETTLE_TIMEOUT_S: Final = 20


def served(upstream: Contestant) -> int:
    """Return how many calls the fixed upstream has answered."""
    return int(httpx.get(f"{upstream.url}/served").text)


def check_ledger(gateway: Contestant, calls: int) -> None:
    """Wait until the gateway holds nothing, and compare its books to the nano-dollar.

    Raises:
        RuntimeError: It charged something else than so many calls cost, or holds money.
    """
    expected = calls * PriceBook().unit_price("gpt-4").cost(USAGE)
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while _held(budget := _global_budget(gateway)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if (budget["spent"]["nano_usd"], _held(budget)) != (expected, 0):
        raise RuntimeError(f"{calls:,} calls cost {expected} nano-dollars, but it says {budget}")
    print(f"\nledger exact: {calls:,} calls, ${budget['spent']['usd']}, nothing held")


def _global_budget(gateway: Contestant) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{gateway.url}/budgets?limit=1").json()["budgets"][0]
    return found


def _held(budget: dict[str, Any]) -> int:
    return int(budget["reserved"]["nano_usd"])
