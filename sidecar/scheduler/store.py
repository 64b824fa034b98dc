"""Jobs on disk: SQLite, one writer thread that puts many writes into one synced transaction.

A write that was awaited has reached the disk and survives SIGKILL and loss of power. Writes are
applied, and reported to the event loop, in the order in which they were submitted. A database has
one scheduler at a time.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog
from google.protobuf.message import DecodeError

from serving.errors import StartError
from sidecar.scheduler.errors import StoreError
from sidecar.scheduler.jobs import Job, read_job

_LOG = structlog.get_logger()
FILE_NAME = "jobs.sqlite3"
_ENOUGH_WRITES_FOR_A_TRANSACTION = 512
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  key TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  due_us INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  name TEXT NOT NULL,
  metadata BLOB NOT NULL,
  spec BLOB NOT NULL
) WITHOUT ROWID
"""
_SELECT = "SELECT key, revision, due_us, attempts, name, metadata, spec FROM jobs"
_INSERT = "INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)"
_REPLACE = "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)"


class Write(Protocol):
    """One change of the table."""

    def run(self, database: sqlite3.Connection) -> int:
        """Make the change within a transaction; return how many rows it touched."""


@dataclass(frozen=True, slots=True)
class Put:
    """Store a job; without `overwrite` it touches no row where the key is taken."""

    job: Job
    overwrite: bool

    def run(self, database: sqlite3.Connection) -> int:
        """See Write."""
        job = self.job
        values = (job.key, job.revision, job.due_us, job.attempts, job.name)
        blobs = (job.metadata_bytes, job.spec_bytes)
        statement = _REPLACE if self.overwrite else _INSERT
        return database.execute(statement, values + blobs).rowcount


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the job of a key, whatever its revision."""

    key: str

    def run(self, database: sqlite3.Connection) -> int:
        """See Write."""
        return database.execute("DELETE FROM jobs WHERE key = ?", (self.key,)).rowcount


@dataclass(frozen=True, slots=True)
class DeletePrefix:
    """Delete all jobs whose key begins with `prefix`."""

    prefix: str

    def run(self, database: sqlite3.Connection) -> int:
        """See Write."""
        statement = "DELETE FROM jobs WHERE substr(key, 1, ?) = ?"
        return database.execute(statement, (len(self.prefix), self.prefix)).rowcount


@dataclass(frozen=True, slots=True)
class Finish:
    """Delete one revision of a job and spare its successor."""

    job: Job

    def run(self, database: sqlite3.Connection) -> int:
        """See Write."""
        statement = "DELETE FROM jobs WHERE key = ? AND revision = ?"
        return database.execute(statement, (self.job.key, self.job.revision)).rowcount


@dataclass(frozen=True, slots=True)
class CountAttempts:
    """Note how many deliveries of one revision of a job have failed."""

    job: Job
    attempts: int

    def run(self, database: sqlite3.Connection) -> int:
        """See Write."""
        statement = "UPDATE jobs SET attempts = ? WHERE key = ? AND revision = ?"
        values = (self.attempts, self.job.key, self.job.revision)
        return database.execute(statement, values).rowcount


Settled = Callable[[int | StoreError], None]


@dataclass(frozen=True, slots=True)
class _Pending:
    write: Write
    settled: Settled


class JobStore:
    """The database and its writer thread; made and used on one event loop."""

    def __init__(self, data_dir: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._database = _open(data_dir)
        self._queue: SimpleQueue[list[_Pending]] = SimpleQueue()
        self._fresh: list[_Pending] = []
        self._writer = threading.Thread(target=self._write_all, name="job-writer", daemon=True)
        self.backlog = 0

    def load(self) -> list[Job]:
        """Return all stored jobs, and start to write: nothing is submitted before."""
        try:
            jobs = self._read()
        except (sqlite3.Error, DecodeError) as error:
            raise StartError(f"SCHEDULER_DATA_DIR: its jobs can't be read: {error}") from None
        self._writer.start()
        return jobs

    def _read(self) -> list[Job]:
        return [read_job(row) for row in self._database.execute(_SELECT)]

    def submit(self, write: Write, settled: Settled) -> None:
        """Write soon; what is submitted in one turn of the event loop is written as one.

        `settled` is called with the number of rows or StoreError, on the event loop, in the order
        of the commits.
        """
        self.backlog += 1
        if not self._fresh:
            self._loop.call_soon(self._flush)
        self._fresh.append(_Pending(write, settled))

    async def write(self, write: Write) -> int:
        """Write, and return the number of rows; StoreError."""
        done: asyncio.Future[int] = self._loop.create_future()

        def settled(rows: int | StoreError) -> None:
            if done.cancelled():
                return
            if isinstance(rows, StoreError):
                done.set_exception(rows)
            else:
                done.set_result(rows)

        self.submit(write, settled)
        return await done

    async def close(self) -> None:
        """Write what is left, and close the database."""
        if self._writer.is_alive():
            self._flush()
            self._queue.put([])
            await asyncio.to_thread(self._writer.join)
        self._database.close()

    def _flush(self) -> None:
        if self._fresh:
            self._queue.put(self._fresh)
            self._fresh = []

    def _write_all(self) -> None:
        while batch := self._take():
            try:
                rows: list[int] | StoreError = self._commit(batch)
            except sqlite3.Error as error:
                rows = StoreError(f"the job could not be stored: {error}")
                _LOG.error("jobs not stored", writes=len(batch), error=str(error))
            self._loop.call_soon_threadsafe(self._settle, batch, rows)

    def _take(self) -> list[_Pending]:
        """Wait for writes; return them with all that have come since, or nothing at the end."""
        batch: list[_Pending] = []
        following = self._queue.get()
        while following:
            batch += following
            if len(batch) >= _ENOUGH_WRITES_FOR_A_TRANSACTION:
                return batch
            try:
                following = self._queue.get_nowait()
            except Empty:
                return batch
        if batch:
            self._queue.put([])
        return batch

    def _commit(self, batch: list[_Pending]) -> list[int]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            rows = [each.write.run(self._database) for each in batch]
            self._database.execute("COMMIT")
        except sqlite3.Error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        return rows

    def _settle(self, batch: list[_Pending], rows: list[int] | StoreError) -> None:
        self.backlog -= len(batch)
        for index, each in enumerate(batch):
            each.settled(rows if isinstance(rows, StoreError) else rows[index])


def _open(data_dir: Path) -> sqlite3.Connection:
    if not data_dir.is_dir():
        raise StartError(f"SCHEDULER_DATA_DIR: {data_dir} is not a directory; create it first")
    try:
        database = sqlite3.connect(
            data_dir / FILE_NAME, isolation_level=None, check_same_thread=False, timeout=0
        )
        # Before the first read, so that no second scheduler can share the file.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN EXCLUSIVE")
        database.execute(_SCHEMA)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise StartError(
            f"SCHEDULER_DATA_DIR: no jobs can be kept in {data_dir}: {error}"
        ) from None
    return database
