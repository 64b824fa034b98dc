"""What is away for a while, without being killed under its work: connections, Redis, the scheduler.

Longer than any call waits, so that each call fails and something has to be done again.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.endurance.cases import KINDS
from tests.endurance.client import Client
from tests.endurance.load import Load
from tests.endurance.run import Report, reckon
from tests.endurance.stack import Stack, stack
from tests.sidecar.conftest import PROFILES

pytestmark = [pytest.mark.timeout(180), pytest.mark.parametrize("profile", PROFILES)]
KEPT = ("--appendonly", "yes", "--appendfsync", "always")
AT_ONCE = 16
AWAY_S = 6.0
BETWEEN_S = 0.4
DRAIN_S = 45.0


@asynccontextmanager
async def _under_load(made: Stack) -> AsyncIterator[asyncio.Future[Report]]:
    """Keep workflows going within the block; the future has the report after it."""
    client = Client(made.sidecar_address)
    load = Load(made, client, seed=5, kinds=tuple(KINDS))
    loop = asyncio.get_running_loop()
    drain, report = loop.create_future(), loop.create_future()
    running = asyncio.create_task(load.run(AT_ONCE, drain))
    began_s = time.monotonic()
    try:
        yield report
        await made.ready()
        drain.set_result(DRAIN_S)
        await running
        report.set_result(await reckon(made, load, time.monotonic() - began_s))
    finally:
        running.cancel()
        await client.close()


def _assert_nothing_lost(report: Report) -> None:
    told = "\n".join(report.lines())
    assert not report.faults, told
    assert report.figures["workflows ended"] >= len(KINDS), told


async def test_connections_that_break_lose_nothing(tmp_path: Path, profile: str) -> None:
    """Of the workers in the middle of turns and activities, to Redis, and to the scheduler."""
    async with stack(tmp_path / "run", profile, linked=True) as made:
        async with _under_load(made) as report:
            for _ in range(4):
                for each in (made.relay, made.store_link, made.scheduler_link):
                    await asyncio.sleep(BETWEEN_S)
                    each.cut()
        _assert_nothing_lost(report.result())


async def test_what_is_away_for_seconds_loses_nothing(tmp_path: Path, profile: str) -> None:
    """Redis frozen, the scheduler gone, Redis killed and started again on its own file."""
    async with stack(tmp_path / "run", profile, redis=KEPT) as made:
        async with _under_load(made) as report:
            await asyncio.sleep(1)
            made.redis_service.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(AWAY_S)
            made.redis_service.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(1)
            made.services["scheduler"].kill()
            await asyncio.sleep(AWAY_S)
            made.services["scheduler"].start()
            await asyncio.sleep(1)
            await asyncio.to_thread(made.restart_redis, *KEPT)
            await asyncio.sleep(1)
        _assert_nothing_lost(report.result())
