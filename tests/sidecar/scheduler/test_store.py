"""What is on disk: acknowledged jobs survive, and start again at their due time."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from serving.errors import StartError
from sidecar.scheduler.errors import StoreError
from sidecar.scheduler.store import FILE_NAME, Delete, DeletePrefix, Finish, JobStore, Put, Write
from tests.sidecar.scheduler.harness import Watcher, forever, schedule_request, scheduler
from tests.sidecar.scheduler.test_board import job


async def stored(data_dir: Path) -> list[str]:
    """Return the keys that a fresh start finds."""
    store = JobStore(data_dir)
    keys = sorted(each.key for each in store.load())
    await store.close()
    return keys


def test_acknowledged_jobs_survive_sigkill(tmp_path: Path) -> None:
    """SIGKILL under a load of schedules loses none that was acknowledged."""
    acknowledged: list[str] = []
    enough = threading.Event()
    with scheduler(tmp_path) as victim:

        def load(thread: int) -> None:
            for number in range(100_000):
                actor_id = f"t{thread}-{number}::1::1"
                try:
                    victim.stub.ScheduleJob(schedule_request(actor_id, "240h"), timeout=10)
                except grpc.RpcError:
                    return
                acknowledged.append(actor_id)
                if len(acknowledged) == 400:
                    enough.set()

        threads = [threading.Thread(target=load, args=(each,)) for each in range(8)]
        for each in threads:
            each.start()
        assert enough.wait(30)
        victim.service.kill()
        for each in threads:
            each.join(20)
    with scheduler(tmp_path) as successor:
        survivors = set(successor.list_keys())
    assert len(acknowledged) >= 400
    assert set(acknowledged) <= survivors


def test_a_restart_puts_the_clock_back(tmp_path: Path) -> None:
    """After a restart a failing job begins again at its due time: a burst as long as its age."""
    with scheduler(tmp_path) as first, Watcher(first) as sidecar:
        first.schedule("old::1::1", policy=forever(0.2))
        came = sidecar.fail(5)
        assert came[4] - came[0] > 0.6
        first.service.kill()
    with scheduler(tmp_path) as second, Watcher(second) as sidecar:
        came = sidecar.fail(5)
        assert came[4] - came[0] < 0.6


def test_counted_attempts_survive_a_restart(tmp_path: Path) -> None:
    """A job with two retries has them in all, over a restart."""
    with scheduler(tmp_path) as first, Watcher(first) as sidecar:
        first.schedule("counted", policy=forever(0.01, max_retries=2))
        sidecar.fail(2)
        sidecar.next()
        first.service.stop()
    with scheduler(tmp_path) as second, Watcher(second) as sidecar:
        sidecar.fail(1)
        assert sidecar.is_idle(0.2)
        assert second.list_keys() == []


async def test_writes_are_applied_in_order(tmp_path: Path) -> None:
    """Of writes to one key the last one submitted wins, in one transaction or in several."""
    store = JobStore(tmp_path)
    assert store.load() == []
    order: list[int | StoreError] = []
    a, b = job("a"), job("a")
    writes: list[Write] = [
        Put(a, overwrite=True),
        Delete(a.key),
        Put(b, overwrite=False),
        Finish(a),
    ]
    for each in writes:
        store.submit(each, order.append)
    await store.close()
    await asyncio.sleep(0)
    assert order == [1, 1, 1, 0]
    assert await stored(tmp_path) == [b.key]


async def test_a_job_comes_back_as_it_was(tmp_path: Path) -> None:
    """All that is stored of a job is read back."""
    store = JobStore(tmp_path)
    store.load()
    kept = job("a", due_us=253402300799999999)
    await store.write(Put(kept, overwrite=True))
    await store.close()
    again = JobStore(tmp_path)
    assert again.load() == [kept]
    await again.close()


async def test_a_prefix_is_matched_to_the_letter(tmp_path: Path) -> None:
    """Deleting by prefix spares keys that differ in a wildcard, in case or in length."""
    store = JobStore(tmp_path)
    store.load()
    jobs = [job(each) for each in ("f_1", "f_2", "fx1", "F_1", "f")]
    for each in jobs:
        await store.write(Put(each, overwrite=True))
    prefix = jobs[0].key.removesuffix("1||run-activity")
    assert await store.write(DeletePrefix(prefix)) == 2
    await store.close()
    assert await stored(tmp_path) == sorted(each.key for each in jobs[2:])


async def test_a_write_that_fails_says_so(tmp_path: Path) -> None:
    """A write that the database refuses raises, and those after it go on."""
    store = JobStore(tmp_path)
    store.load()
    beyond = replace(job("k"), key="k", due_us=2**62)
    impossible = replace(beyond, key=None)  # type: ignore[arg-type]  # what the table refuses
    await store.write(Put(beyond, overwrite=True))
    with pytest.raises(StoreError, match="could not be stored"):
        await store.write(Put(impossible, overwrite=True))
    await store.write(Delete("k"))
    assert store.backlog == 0
    await store.close()


async def test_one_scheduler_a_directory(tmp_path: Path) -> None:
    """A second store in the same directory is refused while the first is open."""
    first = JobStore(tmp_path)
    first.load()
    with pytest.raises(StartError, match=r"^SCHEDULER_DATA_DIR: no jobs can be kept in"):
        JobStore(tmp_path)
    await first.close()
    assert await stored(tmp_path) == []


async def test_jobs_that_cannot_be_read(tmp_path: Path) -> None:
    """A row that is no job stops the start with one line, and the store can still be closed."""
    store = JobStore(tmp_path)
    store.load()
    await store.write(Put(job("a"), overwrite=True))
    await store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.execute("UPDATE jobs SET spec = ?", (b"\xff\xff",))
        database.commit()
    damaged = JobStore(tmp_path)
    with pytest.raises(StartError, match=r"^SCHEDULER_DATA_DIR: its jobs can't be read: "):
        damaged.load()
    await damaged.close()
