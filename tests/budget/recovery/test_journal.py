"""Laws of a journal that many calls write at the same time."""

import asyncio
import contextlib
import json
import resource
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from budget.accounts import Accounts
from budget.caller import Caller
from budget.calls.providers import metered_routes
from budget.errors import RefusedError
from budget.gate import Gate
from budget.keeper import Keeper
from budget.metrics import Metrics
from budget.recovery.disk import Disk
from budget.recovery.errors import JournalError, RecoveringError
from budget.recovery.journal import Journal
from budget.recovery.records import Record, scan
from budget.recovery.recovery import Recovery
from budget.recovery.store import JournaledStore
from budget.scopes import Limits
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.reading import Reading
from metering.identity import CallerIdentity
from metering.money import NanoUsd
from metering.prices import PriceBook
from tests.budget.gateways import CALL_NANO_USD, until
from tests.budget.recovery.test_disk import entry

RICH = Limits("cap", NanoUsd(10**9))


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Give an empty journal."""
    opened = Journal(Disk(tmp_path / "j"))
    opened.start()
    yield opened
    await opened.close()


def on_disk(folder: Path) -> set[int]:
    """Return the entries that are in the files."""
    data = b"".join(path.read_bytes() for path in sorted(folder.glob("*.journal")))
    return {each.record["seq"] for each in scan(data) if each.record and each.record["k"] == "e"}


async def test_whoever_is_answered_is_on_disk(journal: Journal) -> None:
    """In any number at once, and across files."""

    async def write(seq: int) -> None:
        await journal.write([entry(seq)])
        assert seq in on_disk(journal.disk.folder)

    await asyncio.gather(*(write(seq) for seq in range(1, 101)))
    assert journal.memory.coverage.upto == 100


async def test_a_disk_that_takes_nothing_is_told_to_who_waits(journal: Journal) -> None:
    """It counts as not written, and the next record is taken when the disk can."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        with pytest.raises(JournalError, match="can't be written"):
            await journal.write([entry(1)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in str(journal.failure)
    assert journal.memory.coverage.last == 0
    await journal.write([entry(2)])
    assert str(journal.failure) == "None"
    assert on_disk(journal.disk.folder) == {2}


class HangingDisk(Disk):
    """One that takes nothing, and fails nothing, until it wakes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.wakes = threading.Event()

    def write(self, records: Iterable[Record], *, sync: bool) -> None:
        """Wait before the write."""
        self.wakes.wait()
        super().write(records, sync=sync)


async def test_a_disk_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Whoever waits is told after the deadline, others at once; when it wakes it is used again."""
    disk = HangingDisk(tmp_path)
    journal = Journal(disk, deadline_s=0.2)
    journal.start()
    first = asyncio.create_task(journal.write([entry(1)]))
    await asyncio.sleep(0)
    found = await asyncio.gather(first, journal.write([entry(2)]), return_exceptions=True)
    assert [type(each) for each in found] == [JournalError] * 2
    with pytest.raises(JournalError, match=r"took more than 0\.2 s"):
        await journal.write([entry(3)])
    assert "took more than" in str(journal.failure)
    assert on_disk(tmp_path) == set()
    disk.wakes.set()
    await until(lambda: journal.failure is None, "the disk takes what it was given")
    await journal.write([entry(4)])
    assert {1, 4} <= on_disk(tmp_path)
    assert 3 not in on_disk(tmp_path)
    await journal.close()


async def test_a_call_that_a_hanging_disk_holds_up_is_refused_and_holds_nothing(
    link: RedisLink, tmp_path: Path
) -> None:
    """So nothing of it goes upstream, also when the disk wakes."""
    disk, gate, metrics = HangingDisk(tmp_path), Gate(Metrics()), Metrics()
    disk.wakes.set()
    recovery = Recovery(link, Journal(disk, deadline_s=0.2))
    recovery.journal.start()
    store = JournaledStore(link, recovery.journal, recovery)
    accounts = Accounts(store, gate, RICH, 60_000, metrics, book=LimitBook(link))
    keeper = Keeper(
        link, store, accounts.closer, accounts.renewals, gate, metrics=metrics, allow_unsafe=False
    )
    await _open(keeper)
    disk.wakes.clear()
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    call = metered_routes(PriceBook(), 16)["/v1/chat/completions"].price(json.dumps(body).encode())
    with pytest.raises(RefusedError) as caught:
        await accounts.admit(call, Caller(CallerIdentity(instance="i-1")), None, _wait)
    assert caught.value.refusal.status == 503
    assert gate.reason is not None
    assert (await Reading(link).total()).totals.reserved == CALL_NANO_USD
    await accounts.closer.tell_untold()
    assert (await Reading(link).total()).totals.reserved == 0
    disk.wakes.set()
    await recovery.journal.close()


async def _open(keeper: Keeper) -> None:
    while True:
        with contextlib.suppress(RecoveringError):
            await keeper.check()
            return


async def _wait(something: Coroutine[Any, Any, None]) -> None:
    await something


async def test_a_note_is_on_disk_with_the_next_write(tmp_path: Path) -> None:
    """And when the gateway ends in order."""
    journal = Journal(Disk(tmp_path))
    journal.start()
    journal.note(entry(1))
    await journal.write([entry(2)])
    assert on_disk(tmp_path) == {1, 2}
    journal.note(entry(3))
    await journal.close()
    assert on_disk(tmp_path) == {1, 2, 3}


async def test_another_ledger_begins_without_the_entries_of_the_one_before(
    journal: Journal,
) -> None:
    """One that goes on from it keeps them."""
    await journal.change_ledger("e", continues=False)
    await journal.write([entry(1), entry(2)])
    await journal.change_ledger("e+1", continues=True, upto=4)
    await journal.write([entry(5)])
    assert (journal.memory.epoch, journal.memory.coverage.upto) == ("e+1", 5)
    assert sorted(await journal.entries(0, 9)) == [1, 2, 5]
    await journal.change_ledger("x", continues=False)
    await journal.write([entry(1)])
    assert (journal.memory.epoch, journal.memory.coverage.upto) == ("x", 1)
    assert sorted(await journal.entries(0, 9)) == [1]
