"""Whether a gateway's memory grows with the number of its calls."""

from pathlib import Path
from typing import Final

import uvloop

from benchmarks.budget_books import check_ledger, served
from benchmarks.budget_contestants import GATEWAY, UPSTREAM, contestants
from benchmarks.http_load import closed_loop

PARTS: Final = 10


def soak(log_dir: Path, calls: int, connections: int) -> None:
    """Make calls in ten parts; print resident memory after each, and the last to the first."""
    print(f"\n{'calls':>12} {'calls/s':>9} {'gateway RSS MiB':>16}")
    with contestants(log_dir, None) as servers:
        gateway, before = servers[GATEWAY], served(servers[UPSTREAM])
        address, part, sizes = ("127.0.0.1", gateway.port), max(1, calls // PARTS), []
        for number in range(PARTS):

            def request_of(index: int, first: int = number * part) -> bytes:
                return gateway.request(first + index)

            answers = uvloop.run(
                closed_loop(address, request_of, connections=connections, calls=part)
            )
            if set(answers.statuses) != {200}:
                raise RuntimeError(f"the gateway answered {dict(answers.statuses)}")
            sizes.append(gateway.process.memory_info().rss)
            made = (number + 1) * part
            print(f"{made:12,} {answers.per_second:9,.0f} {sizes[-1] / 2**20:16.1f}", flush=True)
        check_ledger(gateway, served(servers[UPSTREAM]) - before)
    print(f"RSS after {PARTS * part:,} calls / after {part:,}: {sizes[-1] / sizes[0]:.3f}")
