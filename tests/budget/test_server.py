"""Laws of starting and ending the process."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from budget.store.link import RedisLink
from budget.store.reading import Reading
from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, until
from tests.support.ports import free_port
from tests.support.services import ROOT, redis_server


def refused_start(**env: str) -> str:
    """Start a gateway that must not start; return its last line."""
    ended = subprocess.run(
        [sys.executable, "-m", "budget"],
        cwd=ROOT,
        env={**os.environ, "BUDGET_PORT": str(free_port()), **env},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1]


def test_an_unsafe_store_is_refused_with_the_way_to_mend_it(tmp_path: Path) -> None:
    """Each wrong setting is named, and how to set it."""
    with redis_server(tmp_path, "--maxmemory-policy", "allkeys-lru") as (_, port):
        line = refused_start(BUDGET_REDIS_URL=f"redis://127.0.0.1:{port}/0")
    assert "--appendonly yes" in line
    assert "--appendfsync always" in line
    assert "--maxmemory-policy noeviction" in line
    assert "BUDGET_ALLOW_UNSAFE_STORE=true" in line


def test_a_port_that_is_taken_is_named(redis_url: str) -> None:
    """One line, and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused_start(BUDGET_PORT=str(port), BUDGET_REDIS_URL=redis_url)
    assert f"BUDGET_PORT={port}" in line


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    """A price file that is not there is named too."""
    assert "BUDGET_MODE=off" in refused_start(BUDGET_MODE="off")
    assert "BUDGET_PRICE_FILE" in refused_start(BUDGET_PRICE_FILE=str(tmp_path / "none.yaml"))


def test_a_gateway_that_anybody_could_use_is_refused() -> None:
    """Before it listens; and a weak admin key is not shown."""
    line = refused_start(BUDGET_HOST="0.0.0.0", BUDGET_AUTH="none")  # noqa: S104  # refused
    assert "BUDGET_AUTH=keys" in line
    assert "BUDGET_ALLOW_ANYONE=true" in line
    line = refused_start(BUDGET_ADMIN_KEY="hunter2")
    assert "BUDGET_ADMIN_KEY" in line
    assert "hunter2" not in line


def test_an_accepted_unsafe_store_serves_and_the_process_ends_when_told(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """BUDGET_ALLOW_UNSAFE_STORE lets it start; SIGTERM ends it within seconds, with code 0."""
    with redis_server(tmp_path) as (_, port):
        gateway = start_gateway(
            f"redis://127.0.0.1:{port}/0", BUDGET_ALLOW_UNSAFE_STORE="true", BUDGET_CAP_USD="1"
        )
        assert gateway.chat().status_code == 200
        gateway.service.process.terminate()
        assert gateway.service.process.wait(8) == 0


async def test_a_call_that_outlives_the_gateway_is_charged(
    start_gateway: StartGateway, link: RedisLink
) -> None:
    """SIGTERM waits a moment for calls; the rest is charged at its worst case before the end."""
    gateway = start_gateway(BUDGET_CAP_USD="1")
    async with httpx.AsyncClient(timeout=30) as client:
        call = asyncio.create_task(client.post(**gateway.request(user="wait:30")))
        await until(gateway.reserved, "the call is under way")
        gateway.service.process.terminate()
        await asyncio.gather(call, return_exceptions=True)
    assert await asyncio.to_thread(gateway.service.process.wait, 10) == 0
    total = await Reading(link).total()
    assert (total.totals.spent, total.totals.reserved) == (CALL_NANO_USD, 0)
    (*_, last) = (await Reading(link).ledger(0, 10)).entries
    assert last.estimated


def test_a_request_head_beyond_the_bound_is_refused(rich_gateway: RunningGateway) -> None:
    """32 KiB of headers are the most; the connection ends."""
    answer = httpx.get(f"{rich_gateway.url}/healthz", headers={"x-long": "x" * 40_000})
    assert answer.status_code == 431
    assert httpx.get(f"{rich_gateway.url}/healthz").status_code == 200
