"""Requests a second of the fake LLM, metering on, beside two servers that only echo.

    python benchmarks/fake_llm_throughput.py [--seconds 5] [--connections 50]

The same client asks each in turn for an answer of 20 words, plain and streamed: `wrk` when it is
on PATH, else a client on aiohttp, which is slower than what it measures; the processor time that
the server itself spends on a request does not depend on that. Ratios are to the raw ASGI echo.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support.ports import free_port
from tests.support.services import running, wait_until_http

PATH = "/v1/chat/completions"
WARM_UP_S = 1.0
PLAIN = (
    b'{"model":"gpt-4","messages":[{"role":"user","content":"Say something nice about the '
    b'weather of today, in one sentence."}],"max_tokens":20}'
)
STREAMED = PLAIN[:-1] + b',"stream":true}'
SERVERS = {
    "raw ASGI echo": ["benchmarks.echo_servers:raw", "uvicorn"],
    "FastAPI echo": ["benchmarks.echo_servers:fastapi", "uvicorn"],
    "fake LLM, metering": ["fake_llm", ""],
}


@dataclass(frozen=True, slots=True)
class Load:
    """How hard and how long each server is asked."""

    connections: int
    seconds: float

    def __str__(self) -> str:
        client = "wrk" if shutil.which("wrk") else "aiohttp (no wrk on PATH)"
        return f"client {client}, {self.connections} connections, {self.seconds:g} s each"


@dataclass(frozen=True, slots=True)
class Result:
    """What one server did under one load.

    Attributes:
        per_second: Requests answered in a second.
        server_cpu_us: Processor time of the server for each.
    """

    per_second: float
    server_cpu_us: float


@contextmanager
def serving(name: str, log_dir: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run one of the servers; yield its base URL and its process."""
    target, kind = SERVERS[name]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", target]
    if kind == "uvicorn":
        command = [sys.executable, "-m", "uvicorn", target, "--port", str(port)]
        command += ["--http", "httptools", "--loop", "auto", "--log-level", "error"]
    env = {"FAKE_LLM_PORT": str(port)}
    with running("server", command, log_dir, env) as service:
        wait_until_http(service, f"{url}/health")
        yield url, psutil.Process(service.process.pid)


def measure(url: str, process: psutil.Process, body: bytes, load: Load, log_dir: Path) -> Result:
    """Warm a server up, then count what it answers."""
    client = ask_with_wrk if shutil.which("wrk") else ask_with_aiohttp
    client(url, body, Load(load.connections, WARM_UP_S), log_dir)
    before = sum(process.cpu_times()[:2])
    answered, elapsed_s = client(url, body, load, log_dir)
    cpu_s = sum(process.cpu_times()[:2]) - before
    return Result(answered / elapsed_s, cpu_s / answered * 1e6)


def ask_with_wrk(url: str, body: bytes, load: Load, log_dir: Path) -> tuple[int, float]:
    """Return how many requests were answered, and in how many seconds."""
    script = log_dir / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = [[{body.decode()}]]\n"
    )
    seconds = max(1, round(load.seconds))
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", f"-s{script}", url + PATH]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30)
    found = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"wrk could not measure {url}:\n{done.stdout}{done.stderr}")
    return int(found[1]), float(found[2])


def ask_with_aiohttp(url: str, body: bytes, load: Load, _: Path) -> tuple[int, float]:
    """Return how many requests were answered, and in how many seconds."""
    return asyncio.run(_ask(url + PATH, body, load))


async def _ask(url: str, body: bytes, load: Load) -> tuple[int, float]:
    connector = aiohttp.TCPConnector(limit=load.connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()

        async def repeat() -> int:
            answered = 0
            while time.perf_counter() - began < load.seconds:
                async with session.post(url, data=body) as response:
                    response.raise_for_status()
                    await response.read()
                answered += 1
            return answered

        counts = await asyncio.gather(*(repeat() for _ in range(load.connections)))
        return sum(counts), time.perf_counter() - began


def parse_load(about: str | None) -> Load:
    """Read the load, bounded in connections and time, from the command line."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0] if about else None)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=50)
    options = parser.parse_args()
    return Load(min(options.connections, 500), min(options.seconds, 60.0))


def main() -> None:
    """Measure all servers and print a table."""
    load = parse_load(__doc__)
    print(f"{load}, {os.cpu_count()} cores, one server process at a time")
    for title, body in (("plain", PLAIN), ("streamed", STREAMED)):
        _print_table(title, body, load)


def _print_table(title: str, body: bytes, load: Load) -> None:
    print(f"\n{title:20} {'requests/s':>11} {'ratio':>6} {'server us/request':>18} {'ratio':>6}")
    first: Result | None = None
    for name in SERVERS:
        with tempfile.TemporaryDirectory() as folder, serving(name, Path(folder)) as (url, process):
            result = measure(url, process, body, load, Path(folder))
        first = first or result
        print(
            f"{name:20} {result.per_second:11,.0f} {result.per_second / first.per_second:6.2f} "
            f"{result.server_cpu_us:18.0f} {result.server_cpu_us / first.server_cpu_us:6.2f}"
        )


if __name__ == "__main__":
    main()
