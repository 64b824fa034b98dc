"""What is away for a while, without being killed under its work: connections, Redis, the scheduler.

Longer than any call waits, so that each call fails and something has to be done again.
"""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.endurance.arithmetic import chain_output
from tests.endurance.cases import KINDS
from tests.endurance.client import Client
from tests.endurance.load import Load
from tests.endurance.run import Report, reckon
from tests.endurance.stack import Stack, at_once, stack

pytestmark = pytest.mark.timeout(180)
KEPT = ("--appendonly", "yes", "--appendfsync", "always")
AT_ONCE = 16
AWAY_S = 6.0
BETWEEN_S = 0.4
SETTLED_S = 1.0
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


async def _cut(directory: Path, profile: str) -> None:
    async with stack(directory, profile, linked=True) as made:
        async with _under_load(made) as report:
            for _ in range(4):
                for each in (made.relay, made.store_link, made.scheduler_link):
                    await asyncio.sleep(BETWEEN_S)
                    each.cut()
        _assert_nothing_lost(report.result())


async def test_connections_that_break_lose_nothing(tmp_path: Path) -> None:
    """Of the workers in the middle of turns and activities, to Redis, and to the scheduler."""
    await at_once(lambda profile: _cut(tmp_path / profile, profile))


async def _freeze(directory: Path, profile: str) -> None:
    async with stack(directory, profile, redis=KEPT) as made:
        async with _under_load(made) as report:
            redis, scheduler = made.redis_service.process, made.services["scheduler"]
            for send in (redis.send_signal, scheduler.send):
                await asyncio.sleep(SETTLED_S)
                send(signal.SIGSTOP)
                await asyncio.sleep(AWAY_S)
                send(signal.SIGCONT)
            await asyncio.sleep(SETTLED_S)
            await asyncio.to_thread(scheduler.kill)
            await asyncio.sleep(AWAY_S)
            scheduler.start()
            await asyncio.sleep(SETTLED_S)
            await asyncio.to_thread(made.restart_redis, *KEPT)
            await asyncio.sleep(SETTLED_S)
        _assert_nothing_lost(report.result())


async def test_what_is_away_for_seconds_loses_nothing(tmp_path: Path) -> None:
    """Redis frozen, the scheduler frozen, the scheduler gone, Redis started again on its file."""
    await at_once(lambda profile: _freeze(tmp_path / profile, profile))


async def _empty(directory: Path, profile: str) -> None:
    async with stack(directory, profile) as made:
        client = Client(made.sidecar_address)
        # Nothing is saved while Redis is away: a save that fails costs the memory, too.
        slow = {"x": "x", "naps": [4.0, 0.1, 0.1]}
        told: dict[str, asyncio.Task[Any]] = {}
        for each in ("before-1", "before-2"):
            assert await client.start("chain", each, json.dumps(slow))
            # Once it has ended the store is asked, which has lost rows of its history.
            told[each] = asyncio.create_task(client.told(each))
        await asyncio.to_thread(made.restart_redis)
        for each, waiting in told.items():
            state = await waiting
            assert json.loads(state.output.value) == chain_output(each, "x", 3)
        assert await client.start("chain", "after", json.dumps({"x": "x", "naps": [0]}))
        state = await client.ended("after")
        assert json.loads(state.output.value) == chain_output("after", "x", 1)
        await client.close()


async def test_what_runs_goes_on_though_redis_comes_back_empty(tmp_path: Path) -> None:
    """The sidecar's memory carries it, as after the expiry of its keys; what is new is stored."""
    await at_once(lambda profile: _empty(tmp_path / profile, profile))
