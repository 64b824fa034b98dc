"""What a hard cap costs: the gateway beside a proxy that only forwards, and beside LiteLLM.

    python benchmarks/budget_gateway.py [--rounds 7] [--seconds 1.5] [--connections 50]
                                        [--litellm DIR] [--soak CALLS]

The upstream answers with fixed bytes, many times faster than what stands before it. The gateway
enforces ten limits and two velocities on each call, over every kind of scope, on a Redis that syncs
each write to disk; a second row has an idempotency key in each call, so that its answer is stored.
With `--litellm` the LiteLLM proxy is installed into DIR, unless it is there, and runs with a
provider budget in a Redis of its own.

The contestants run side by side and are asked in turn, in short rounds, each once the one before
has come to rest; a ratio is one within a round, so that what else the machine does meets all alike;
medians are shown, and lowest and highest. Latency is that of an open loop: a constant rate, each
answer timed from when its request was due. At the end the gateway's ledger must equal what the
upstream served. `--soak` makes so many calls through the gateway instead, and compares its memory
after a tenth of them and after all.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.budget_books import check_ledger, served
from benchmarks.budget_contestants import (
    GATEWAY,
    LITELLM,
    PROXY,
    REPLAYING,
    UPSTREAM,
    Contestant,
    contestants,
)
from benchmarks.budget_soak import soak
from benchmarks.http_load import Answers, closed_loop, open_loop, precise_loop

WARM_UP_S: Final = 0.5
OPEN_CONNECTIONS: Final = 100
SHARE_OF_SATURATION: Final = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured, and how long."""

    rounds: int
    seconds: float
    connections: int
    litellm: Path | None
    soak: int


@dataclass(slots=True)
class Counted:
    """A contestant and how many calls it got: no two have the same number, so no key is repeated.

    Attributes:
        contestant: Whom.
        per_second: Answers in a second, by round.
        cpu_us: Its processor time for each, by round.
        p50_ms, p99_ms: Of the open loop, by round.
    """

    contestant: Contestant
    asked: int = 0
    per_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def saturate(self, options: Options, seconds: float, *, is_stream: bool) -> tuple[float, float]:
        """Ask as fast as it answers; return answers in a second and its CPU for each in us."""
        before_s = self.contestant.cpu_s()
        load = closed_loop(
            self._address,
            partial(self._request, is_stream=is_stream),
            connections=options.connections,
            seconds=seconds,
        )
        with self._named_in_errors():
            answers = uvloop.run(load)
        self.contestant.come_to_rest()
        cpu_s = self.contestant.cpu_s() - before_s
        self._check(answers)
        return answers.per_second, cpu_s / answers.statuses.total() * 1e6

    def pace(self, options: Options, per_second: float) -> None:
        """Ask at a constant rate."""
        load = open_loop(
            self._address,
            self._request,
            per_second=per_second,
            seconds=options.seconds,
            connections=OPEN_CONNECTIONS,
        )
        with self._named_in_errors(), asyncio.Runner(loop_factory=precise_loop) as runner:
            answers = runner.run(load)
        self.contestant.come_to_rest()
        self._check(answers)
        self.p50_ms.append(answers.quantile_ms(0.5))
        self.p99_ms.append(answers.quantile_ms(0.99))

    @contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RuntimeError(
                f"{self.contestant.name}: {error or type(error).__name__}"
            ) from error

    @property
    def _address(self) -> tuple[str, int]:
        return "127.0.0.1", self.contestant.port

    def _request(self, _: int, *, is_stream: bool = False) -> bytes:
        self.asked += 1
        return self.contestant.request(self.asked, is_stream=is_stream)

    def _check(self, answers: Answers) -> None:
        if set(answers.statuses) != {200}:
            raise RuntimeError(f"{self.contestant.name} answered {dict(answers.statuses)}")


def measure_throughput(racers: list[Counted], options: Options, *, is_stream: bool) -> None:
    """Saturate each in turn, round by round."""
    for racer in racers:
        racer.saturate(options, WARM_UP_S, is_stream=is_stream)
        racer.per_second, racer.cpu_us = [], []
    for _ in range(options.rounds):
        for racer in racers:
            rate, cpu_us = racer.saturate(options, options.seconds, is_stream=is_stream)
            racer.per_second.append(rate)
            racer.cpu_us.append(cpu_us)


def print_throughput(title: str, racers: list[Counted]) -> None:
    """Print a table; ratios are to the proxy that only forwards and to LiteLLM."""
    by_name = {racer.contestant.name: racer for racer in racers}
    rivals = [by_name[name] for name in (PROXY, LITELLM) if name in by_name]
    heads = [f"{'of ' + r.contestant.name.partition(',')[0]:>24}" for r in rivals]
    print(f"\n{title:22} {'calls/s':>9} {'server us/call':>15}{''.join(heads)}")
    for racer in racers:
        columns = [f"{_ratio(racer.per_second, rival.per_second):>24}" for rival in rivals]
        print(
            f"{racer.contestant.name:22} {statistics.median(racer.per_second):9,.0f} "
            f"{statistics.median(racer.cpu_us):15,.0f}{''.join(columns)}"
        )


def _ratio(mine: list[float], others: list[float]) -> str:
    ratios = sorted(a / b for a, b in zip(mine, others, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


def measure_latency(racers: list[Counted], options: Options, per_second: float) -> None:
    """Ask all at half of the rate that saturated the gateway, and print what each adds."""
    for _ in range(options.rounds):
        for racer in racers:
            racer.pace(options, per_second)
    base = racers[0]
    print(
        f"\n{f'open loop, {per_second:,.0f}/s':22} {'p50 ms':>9} {'p99 ms':>9} "
        f"{'added p50':>10} {'added p99':>10}   of the rounds"
    )
    for racer in racers:
        added = sorted(a - b for a, b in zip(racer.p99_ms, base.p99_ms, strict=True))
        added_p50 = [a - b for a, b in zip(racer.p50_ms, base.p50_ms, strict=True)]
        print(
            f"{racer.contestant.name:22} {statistics.median(racer.p50_ms):9.2f} "
            f"{statistics.median(racer.p99_ms):9.2f} {statistics.median(added_p50):10.2f} "
            f"{statistics.median(added):10.2f}   {added[0]:.2f} to {added[-1]:.2f}"
        )


def compare(options: Options, log_dir: Path) -> None:
    """Measure throughput, plain and streamed, and latency."""
    with contestants(log_dir, options.litellm) as servers:
        racers = {name: Counted(contestant) for name, contestant in servers.items()}
        before = served(servers[UPSTREAM])
        for title, is_stream in (("plain", False), ("streamed", True)):
            measure_throughput(list(racers.values()), options, is_stream=is_stream)
            print_throughput(title, list(racers.values()))
            if not is_stream:
                saturation = statistics.median(racers[GATEWAY].per_second)
                steady = [racers[name] for name in (UPSTREAM, PROXY, GATEWAY, REPLAYING)]
                measure_latency(steady, options, saturation * SHARE_OF_SATURATION)
        others = [r.asked for name, r in racers.items() if name not in {GATEWAY, REPLAYING}]
        through = racers[GATEWAY].asked + racers[REPLAYING].asked
        asked = served(servers[UPSTREAM]) - before
        if asked != through + sum(others):
            raise RuntimeError(f"the upstream served {asked}, of {through + sum(others)} calls")
        check_ledger(servers[GATEWAY], through)


def parse_options() -> Options:
    """Read the options, bounded in connections and time, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each contestant and round")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--litellm", type=Path, metavar="DIR", help="an environment for LiteLLM")
    parser.add_argument("--soak", type=int, default=0, metavar="CALLS")
    given = parser.parse_args()
    return Options(
        rounds=max(1, min(given.rounds, 100)),
        seconds=min(given.seconds, 60.0),
        connections=max(1, min(given.connections, 500)),
        litellm=given.litellm,
        soak=given.soak,
    )


def main() -> None:
    """Compare, or soak."""
    options = parse_options()
    print(f"{os.cpu_count()} cores shared by the client, the upstream, Redis and the contestants")
    with tempfile.TemporaryDirectory() as folder:
        if options.soak:
            soak(Path(folder), options.soak, options.connections)
            return
        print(
            f"{options.connections} connections, {options.rounds} rounds of {options.seconds:g} s"
        )
        compare(options, Path(folder))


if __name__ == "__main__":
    main()
