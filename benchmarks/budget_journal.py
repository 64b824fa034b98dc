"""What a journal of the gateway's own costs: the same gateway with one and without, in turn.

    python benchmarks/budget_journal.py [--rounds 5] [--seconds 1.5] [--connections 50]

Each has a durable Redis of its own; both run side by side and are asked in turn, so that what else
the machine does meets both alike. The ratio is one within a round.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.budget_contestants import DURABLE, Contestant
from benchmarks.http_load import closed_loop
from tests.support.ports import free_port
from tests.support.services import redis_server, running, wait_until_http

MUCH_USD: Final = "1000000"
WITHOUT: Final = "without a journal"
WITH: Final = "with a journal"
WARM_UP_S: Final = 0.5


def start(stack: ExitStack, folder: Path) -> list[Contestant]:
    """Run the upstream and both gateways until the stack is closed."""
    upstream = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.fixed_upstream:app"]
    command += ["--port", str(upstream), "--http", "httptools", "--log-level", "error"]
    service = stack.enter_context(running("upstream", command, folder))
    wait_until_http(service, f"http://127.0.0.1:{upstream}/served")
    found = []
    for number, name in enumerate((WITHOUT, WITH)):
        redis_dir = folder / f"redis{number}"
        redis_dir.mkdir()
        _, redis_port = stack.enter_context(redis_server(redis_dir, *DURABLE))
        port = free_port()
        env = {
            "BUDGET_PORT": str(port),
            "BUDGET_UPSTREAM_URL": f"http://127.0.0.1:{upstream}",
            "BUDGET_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "BUDGET_CAP_USD": MUCH_USD,
            "BUDGET_INSTANCE_CAP_USD": MUCH_USD,
        }
        if name == WITH:
            env["BUDGET_JOURNAL_DIR"] = str(folder / "journal")
        gateway = stack.enter_context(
            running("budget", [sys.executable, "-m", "budget"], folder, env)
        )
        wait_until_http(gateway, f"http://127.0.0.1:{port}/readyz")
        found.append(Contestant(name, port, psutil.Process(gateway.process.pid)))
    return found


def saturate(
    gateway: Contestant, connections: int, seconds: float, asked: int
) -> tuple[int, float, float]:
    """Ask as fast as it answers.

    Returns how many calls were made in all, calls a second, and processor time of a call in us.
    """
    numbers = iter(range(asked, sys.maxsize))
    made = asked

    def request(_: int) -> bytes:
        nonlocal made
        made = next(numbers)
        return gateway.request(made)

    before_s = gateway.cpu_s()
    answers = uvloop.run(
        closed_loop(("127.0.0.1", gateway.port), request, connections=connections, seconds=seconds)
    )
    gateway.come_to_rest()
    if set(answers.statuses) != {200}:
        raise RuntimeError(f"{gateway.name} answered {dict(answers.statuses)}")
    cpu_us = (gateway.cpu_s() - before_s) / answers.statuses.total() * 1e6
    return made + 1, answers.per_second, cpu_us


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--connections", type=int, default=50)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {WITHOUT: [], WITH: []}
    cpu: dict[str, list[float]] = {WITHOUT: [], WITH: []}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        gateways = start(stack, Path(folder))
        asked = {g.name: saturate(g, given.connections, WARM_UP_S, 0)[0] for g in gateways}
        for _ in range(max(1, given.rounds)):
            for gateway in gateways:
                name = gateway.name
                asked[name], rate, cpu_us = saturate(
                    gateway, given.connections, given.seconds, asked[name]
                )
                rates[name].append(rate)
                cpu[name].append(cpu_us)
        size = sum(path.stat().st_size for path in (Path(folder) / "journal").glob("*.journal"))
    ratios = sorted(a / b for a, b in zip(rates[WITH], rates[WITHOUT], strict=True))
    print(f"{given.connections} connections, {given.rounds} rounds of {given.seconds:g} s")
    for name, found in rates.items():
        rate, cpu_us = statistics.median(found), statistics.median(cpu[name])
        print(f"{name:20} {rate:8,.0f} calls/s {cpu_us:8,.0f} us of processor")
    print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
    print(f"{size / asked[WITH]:.0f} bytes of journal a call")


if __name__ == "__main__":
    main()
