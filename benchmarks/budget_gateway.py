"""What a hard cap costs: the provider alone, a proxy that only forwards, and the gateway.

    python benchmarks/budget_gateway.py [--seconds 5] [--connections 50]

The provider is the fake LLM, metering on. The gateway enforces a global and an instance limit on a
Redis that syncs every write to disk. Plain and streamed answers of 20 words, the same client as
fake_llm_throughput.py. Ratios are to the proxy that only forwards; at the end the gateway's ledger
must equal the provider's.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.fake_llm_throughput import PLAIN, STREAMED, Load, Result, measure, parse_load
from tests.support.ports import free_port
from tests.support.services import Service, redis_server, running, wait_until_http

MUCH_USD = "1000000"
SETTLE_TIMEOUT_S = 20


@contextmanager
def serving(
    module: list[str], port: int, env: dict[str, str], log_dir: Path, ready: str
) -> Iterator[tuple[str, psutil.Process]]:
    """Run one Python server; yield its base URL and its process."""
    url = f"http://127.0.0.1:{port}"
    service: Service
    with running(module[0], [sys.executable, "-m", *module], log_dir, env) as service:
        wait_until_http(service, url + ready)
        yield url, psutil.Process(service.process.pid)


@contextmanager
def contestants(log_dir: Path) -> Iterator[dict[str, tuple[str, psutil.Process]]]:
    """Run the provider, the proxy, the store and the gateway, by name."""
    ports = [free_port() for _ in range(3)]
    provider_url = f"http://127.0.0.1:{ports[0]}"
    proxy = ["uvicorn", "benchmarks.pass_through:app", "--port", str(ports[1])]
    proxy += ["--http", "httptools", "--loop", "uvloop", "--log-level", "error", "--no-access-log"]
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    with (
        redis_server(log_dir, *durable) as (_, redis_port),
        serving(
            ["fake_llm"], ports[0], {"FAKE_LLM_PORT": str(ports[0])}, log_dir, "/health"
        ) as provider,
        serving(proxy, ports[1], {"UPSTREAM_URL": provider_url}, log_dir, "/health") as forwarding,
        serving(
            ["budget"],
            ports[2],
            {
                "BUDGET_PORT": str(ports[2]),
                "BUDGET_UPSTREAM_URL": provider_url,
                "BUDGET_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
                "BUDGET_CAP_USD": MUCH_USD,
                "BUDGET_INSTANCE_CAP_USD": MUCH_USD,
            },
            log_dir,
            "/readyz",
        ) as gateway,
    ):
        yield {
            "provider alone": provider,
            "proxy, forwards only": forwarding,
            "gateway, enforcing": gateway,
        }


def compare(title: str, body: bytes, load: Load, log_dir: Path) -> None:
    """Measure the three in turn on the same running services, and print a table."""
    print(f"\n{title:22} {'requests/s':>11} {'ratio':>6} {'server us/request':>18} {'ratio':>6}")
    with contestants(log_dir) as servers:
        provider_url, gateway_url = servers["provider alone"][0], servers["gateway, enforcing"][0]
        results: dict[str, Result] = {}
        for name, (url, process) in servers.items():
            if url == gateway_url:
                httpx.post(f"{provider_url}/reset").raise_for_status()
            results[name] = measure(url, process, body, load, log_dir)
        check_ledgers(provider_url, gateway_url)
    base = results["proxy, forwards only"]
    for name, result in results.items():
        print(
            f"{name:22} {result.per_second:11,.0f} {result.per_second / base.per_second:6.2f} "
            f"{result.server_cpu_us:18.0f} {result.server_cpu_us / base.server_cpu_us:6.2f}"
        )


def check_ledgers(provider_url: str, gateway_url: str) -> None:
    """Wait until the gateway holds nothing, and compare the two ledgers to the nano-dollar."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        budget = httpx.get(f"{gateway_url}/budgets").json()["budgets"][0]
        if budget["reserved"]["nano_usd"] == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    charged = httpx.get(f"{provider_url}/spend").json()["nano_usd"]
    if (budget["spent"]["nano_usd"], budget["reserved"]["nano_usd"]) != (charged, 0):
        raise RuntimeError(f"the ledgers differ: the provider charged {charged}, {budget}")


def main() -> None:
    """Measure plain and streamed calls."""
    load = parse_load(__doc__)
    print(
        f"{load}, {os.cpu_count()} cores shared by client, provider, Redis and the server measured"
    )
    for title, body in (("plain", PLAIN), ("streamed", STREAMED)):
        with tempfile.TemporaryDirectory() as folder:
            compare(title, body, load, Path(folder))


if __name__ == "__main__":
    main()
