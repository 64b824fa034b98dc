"""Failures in each window of a workflow's life: before a write, and after it but unacknowledged.

A kill at random seldom meets them. Each write that the sidecar makes for an instance is refused
once, and in another instance done and not answered; so is each schedule of a job.
"""

import asyncio
import json
import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

from tests.endurance import rows
from tests.endurance.arithmetic import chain_output, mix
from tests.endurance.cases import KINDS, Case
from tests.endurance.client import Client
from tests.endurance.cutting import Cut, CuttingRelay, Window
from tests.endurance.load import Entry, Load
from tests.endurance.stack import Stack, at_once, stack

pytestmark = pytest.mark.timeout(180)
WRITES = range(8)
SHAPES = ("chain", "timers", "events", "family", "again", "retry", "retries", "terminated")
# The sidecar's client of Redis tries a second time by itself.
ATTEMPTS = 2
LONGEST_S = 120.0
# Not every shape writes so often, and a message of several jobs meets one window.
ENOUGH = 0.2


def _case(kind: str, instance: str) -> Case:
    return KINDS[kind](random.Random(instance), instance, mix(instance))  # noqa: S311 - repeatable


async def _play(made: Stack, cases: Sequence[Case]) -> list[str]:
    """Run all cases at once; return the faults."""
    client = Client(made.sidecar_address)
    load = Load(made, client, seed=0, kinds=())
    entries = [Entry(each) for each in cases]
    load.entries |= {each.case.instance: each for each in entries}
    try:
        async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as tasks:
            for each in entries:
                tasks.create_task(load.drive(each))
    except TimeoutError:
        load.faults += [
            f"stuck: {each.case.instance} {rows.read(made.redis, each.case.instance).kinds}"
            for each in entries
            if each.fate.name in ("STARTING", "ACKNOWLEDGED")
        ]
    finally:
        await client.close()
    return load.faults


def _open(link: CuttingRelay, kinds: Sequence[str], times: int, *markers: bytes) -> list[Case]:
    """Make a case for each failure of each write, and have it fail."""
    cases = []
    for kind, number, cut in product(kinds, WRITES, Cut):
        made = _case(kind, f"{kind}-{cut.name.lower()}-{number}x")
        link.windows.append(Window((made.instance.encode(), *markers), number, cut, times))
        cases.append(made)
    return cases


def _met(link: CuttingRelay) -> float:
    return sum(each.met > 0 for each in link.windows) / len(link.windows)


async def _fail_writes(directory: Path, profile: str) -> None:
    async with stack(directory, profile, linked=True) as made:
        cases = _open(made.store_link, SHAPES, ATTEMPTS, b"EVAL")
        assert await _play(made, cases) == []
        assert _met(made.store_link) > ENOUGH


async def test_no_write_that_fails_loses_anything(tmp_path: Path) -> None:
    """Whichever of an instance's writes to Redis it is."""
    await at_once(lambda profile: _fail_writes(tmp_path / profile, profile))


async def _fail_schedules(directory: Path, profile: str) -> None:
    async with stack(directory, profile, linked=True) as made:
        cases = _open(made.scheduler_link, SHAPES[::3], 1)
        assert await _play(made, cases) == []
        assert _met(made.scheduler_link) > ENOUGH


async def test_no_schedule_that_fails_loses_anything(tmp_path: Path) -> None:
    """Whichever of an instance's jobs it is; with it the stream to the scheduler is cut for all."""
    await at_once(lambda profile: _fail_schedules(tmp_path / profile, profile))


async def test_a_rerun_that_is_not_stored_runs_nothing(tmp_path: Path) -> None:
    """Else its activity has no workflow, and runs for ever on 1.16."""
    async with stack(tmp_path / "run", "1.16.1", linked=True) as made:
        client = Client(made.sidecar_address)
        assert await client.start("chain", "source", json.dumps({"x": "x", "naps": [0]}))
        await client.told("source")
        window = Window((b"EVAL", b"second"), 0, Cut.REFUSED, ATTEMPTS)
        made.store_link.windows.append(window)
        assert not await client.rerun("source", "second", event_id=1)
        assert window.met == ATTEMPTS
        assert not [each for each in await made.jobs() if "second" in each["key"]]
        assert await client.rerun("source", "second", event_id=1)
        state = await client.told("second")
        assert json.loads(state.output.value) == chain_output("second", "x", 1)
        await client.close()


async def _lose_the_last_answer(directory: Path, profile: str) -> None:
    async with stack(directory, profile, linked=True) as made:
        client = Client(made.sidecar_address)
        output = json.dumps(chain_output("unanswered", "x", 1))
        markers = (b"EVAL", b"unanswered||history-000005")
        window = Window(markers, 0, Cut.UNANSWERED, ATTEMPTS)
        made.store_link.windows.append(window)
        asked = json.dumps({"x": "x", "naps": [0]})
        assert await client.start("chain", "unanswered", asked)
        assert (await client.told("unanswered")).output.value == output
        assert window.met == ATTEMPTS
        await client.close()


async def test_who_waits_hears_of_an_end_whose_save_was_not_answered(tmp_path: Path) -> None:
    """The end is stored and the reply lost: the job's next attempt tells those who wait."""
    await at_once(lambda profile: _lose_the_last_answer(tmp_path / profile, profile))
