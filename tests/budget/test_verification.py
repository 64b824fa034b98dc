"""Laws of the ledger's sums and of their comparison with the counters."""

import asyncio
import random
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from budget.control.entries import entry_line, read_entry_line
from budget.export import continue_after
from budget.ledger_sums import LedgerSums
from budget.scopes import GLOBAL
from budget.store.library import LEDGER
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from budget.verification import verify
from budget.verify import read_export
from metering.money import NanoUsd
from serving.errors import StartError
from tests.budget.builders import reservation
from tests.support.services import ROOT


async def trade(store: Store, seed: int, calls: int) -> None:
    """Reserve, settle, release, expire and correct, in an order of the seed's."""
    dice = random.Random(seed)  # noqa: S311  # repeatable
    for _ in range(calls):
        hold = reservation(
            dice.randrange(1, 50),
            instance=f"i-{dice.randrange(5)}",
            limit=None,
            hold_ms=dice.choice([0, 3_600_000]),
            workflow=f"w {dice.randrange(3)}",
        )
        await store.reserve_and_dispatch(hold)
        if dice.random() < 0.3:
            await store.expire()
        fate = dice.random()
        if fate < 0.6:
            await store.settle(hold.id, NanoUsd(dice.randrange(80)))
        elif fate < 0.8:
            await store.release(hold.id)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_ledger_sums_to_the_counters_of_every_scope(
    store: Store, link: RedisLink, seed: int
) -> None:
    """Whatever became of the holds: settled above, below, released, expired, corrected."""
    await trade(store, seed, 60)
    found = await verify(Reading(link))
    assert (found.is_exact, found.differences) == (True, [])
    assert found.compared >= 1 + 5 + 3
    assert found.first_seq == 1
    assert found.entries == found.last_seq


async def test_it_does_while_calls_go_on(store: Store, link: RedisLink) -> None:
    """Nothing has to stand still: each scope is compared at an entry, not at a moment."""
    await trade(store, 4, 40)

    async def trade_on() -> None:
        for seed in count(5):
            await trade(store, seed, 5)

    trading = asyncio.create_task(trade_on())
    seen = [await verify(Reading(link)) for _ in range(3)]
    trading.cancel()
    await asyncio.gather(trading, return_exceptions=True)
    assert [found.is_exact for found in seen] == [True] * 3
    assert seen[0].last_seq < seen[1].last_seq < seen[2].last_seq


async def test_a_counter_that_was_changed_by_hand_is_found(store: Store, link: RedisLink) -> None:
    """By the scope's name, with both figures, however small the change."""
    await trade(store, 6, 10)
    await link.send("HINCRBY", GLOBAL.key, "spent", 1)
    found = await verify(Reading(link))
    (difference,) = found.differences
    assert (found.is_exact, found.differing, difference.key) == (False, 1, GLOBAL.key)
    assert difference.counters.spent - difference.ledger.spent == 1
    assert difference.counters.reserved == difference.ledger.reserved


async def test_a_ledger_without_its_beginning_is_incomplete_until_an_export_completes_it(
    store: Store, link: RedisLink, tmp_path: Path
) -> None:
    """It says so instead of telling sums that mean nothing."""
    reading = Reading(link)
    await trade(store, 7, 30)
    under_way = reservation(5, limit=None)
    await store.reserve(under_way)
    path = tmp_path / "ledger.jsonl"
    page = await reading.ledger(0, 1000)
    path.write_bytes(b"".join(map(entry_line, page.entries)))
    await trade(store, 8, 10)
    await store.settle(under_way.id, NanoUsd(4))
    await link.send("XTRIM", LEDGER, "MINID", f"{page.next_seq + 1}-0")
    found = await verify(reading)
    assert (found.complete, found.is_exact, found.compared) == (False, False, 0)
    assert found.first_seq == page.next_seq + 1
    assert found.unattributed == 1
    completed = await verify(reading, read_export(path))
    assert completed.is_exact
    assert completed.compared > 0
    await link.send("XTRIM", LEDGER, "MINID", f"{page.next_seq + 3}-0")
    assert not (await verify(reading, read_export(path))).complete


async def test_an_entry_is_the_same_after_its_line_was_read(store: Store, link: RedisLink) -> None:
    """An export loses nothing that the ledger's feed tells."""
    await trade(store, 9, 20)
    for entry in (await Reading(link).ledger(0, 1000)).entries:
        assert read_entry_line(entry_line(entry)) == entry


def run(module: str, redis_url: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run one of the commands."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={"BUDGET_REDIS_URL": redis_url},
        capture_output=True,
        timeout=60,
        check=False,
    )


async def test_an_export_that_was_cut_short_is_continued(
    store: Store, redis_url: str, tmp_path: Path
) -> None:
    """In the middle of a line too: no entry is missing, none is there twice; and it verifies."""
    await trade(store, 10, 20)
    path = tmp_path / "ledger.jsonl"
    first = await asyncio.to_thread(run, "budget.export", redis_url, "--append", str(path))
    assert first.returncode == 0
    path.write_bytes(path.read_bytes()[:-700])
    await trade(store, 11, 20)
    await asyncio.to_thread(run, "budget.export", redis_url, "--append", str(path))
    whole = await asyncio.to_thread(run, "budget.export", redis_url, "--after", "0")
    assert path.read_bytes() == whole.stdout
    verified = await asyncio.to_thread(run, "budget.verify", redis_url, "--export", str(path))
    assert verified.returncode == 0, verified.stderr
    assert b'"exact": true' in verified.stdout


def test_a_spoilt_export_is_refused_by_its_line(tmp_path: Path) -> None:
    """Nobody verifies half a ledger without knowing."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b'{"export": {"next": 0}}\n{"seq": 1}\n')
    with pytest.raises(StartError, match="line 2"):
        read_export(path)
    with path.open("a+b") as file, pytest.raises(StartError, match="no entry"):
        continue_after(file)


async def test_an_entry_that_does_not_follow_is_refused(store: Store, link: RedisLink) -> None:
    """A gap in an export can't go unseen."""
    await trade(store, 12, 3)
    first, _, third, *_ = (await Reading(link).ledger(0, 10)).entries
    sums = LedgerSums()
    sums.add(first)
    with pytest.raises(ValueError, match="does not follow"):
        sums.add(third)
