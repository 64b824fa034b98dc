"""Counts of executions, outside the state store whose loss makes a runaway.

Both kinds are safe over threads and processes, and bounded: in number, the least recently executed
leave first, and in age since the last execution. A runaway is executed about once a second, so it
is never among those.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Final, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from budget.guard.errors import CountUnavailableError

MOST_ACTIVITIES: Final = 100_000
MOST_AGE_S: Final = 7 * 24 * 3600
WAIT_S: Final = 5.0
PRUNE_EVERY: Final = 500
"""So many counts are made between two looks for what has to leave."""

REDIS_COUNTS: Final = "{budget}:guard:counts"
REDIS_TIMES: Final = "{budget}:guard:times"

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS executions "
    "(key TEXT PRIMARY KEY, count INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID"
)
_INDEX: Final = "CREATE INDEX IF NOT EXISTS by_age ON executions (at)"
_COUNT: Final = (
    "INSERT INTO executions VALUES (?, 1, ?) "
    "ON CONFLICT (key) DO UPDATE SET count = count + 1, at = excluded.at RETURNING count"
)
_TOO_OLD: Final = "DELETE FROM executions WHERE at < ?"
_TOO_MANY: Final = (
    "DELETE FROM executions WHERE key IN (SELECT key FROM executions ORDER BY at "
    "LIMIT max(0, (SELECT count(*) FROM executions) - ?))"
)


class Counts(Protocol):
    """Counts executions."""

    def count(self, key: str) -> int:
        """Count one more execution and return how many there were, this one included.

        Raises:
            CountUnavailableError: It can't be counted.
        """

    def close(self) -> None:
        """Let go of file or connection."""


class FileCounts:
    """Counts in a SQLite file, which workers on one machine share.

    Args:
        path: The file; it and its folder are made. On a local disk: SQLite's locks need one.
        most: How many activities are remembered.
        most_age_s: How long one is, since its last execution.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        *,
        most: int = MOST_ACTIVITIES,
        most_age_s: float = MOST_AGE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._most = most
        self._most_age_s = most_age_s
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._until_prune = 0

    def count(self, key: str) -> int:
        """See Counts."""
        with self._lock:
            try:
                connection = self._connected()
                row = connection.execute(_COUNT, (key, self._clock())).fetchone()
                self._prune(connection)
            except (sqlite3.Error, OSError) as error:
                raise CountUnavailableError(
                    f"executions can't be counted in {self._path}: {error}. Give the guard a file "
                    "on a local disk that it may write to, or BUDGET_GUARD_COUNTS"
                ) from error
        return int(row[0])

    def close(self) -> None:
        """See Counts."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> sqlite3.Connection:
        """Return the connection of this process: one must not be carried over a fork."""
        if self._connection is None or self._pid != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
                connection.execute(_INDEX)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection, self._pid = connection, os.getpid()
        return self._connection

    def _prune(self, connection: sqlite3.Connection) -> None:
        self._until_prune -= 1
        if self._until_prune > 0:
            return
        self._until_prune = min(PRUNE_EVERY, self._most)
        connection.execute(_TOO_OLD, (self._clock() - self._most_age_s,))
        connection.execute(_TOO_MANY, (self._most,))


class RedisCounts:
    """Counts in the budget's Redis, which workers on all machines share.

    Args:
        url: Of the Redis; never the one with the workflows' state.
        most: How many activities are remembered.
        most_age_s: How long one is, since its last execution.
    """

    def __init__(
        self, url: str, *, most: int = MOST_ACTIVITIES, most_age_s: float = MOST_AGE_S
    ) -> None:
        self._most = most
        self._most_age_s = most_age_s
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=WAIT_S,
            socket_connect_timeout=WAIT_S,
            retry=Retry(NoBackoff(), 0),
        )
        script = files("budget.guard").joinpath("count.lua").read_text("utf-8")
        self._script = self._redis.register_script(script)

    def count(self, key: str) -> int:
        """See Counts."""
        try:
            found = self._script(
                keys=[REDIS_COUNTS, REDIS_TIMES],
                args=[key, self._most, int(self._most_age_s * 1000)],
            )
        except redis.RedisError as error:
            raise CountUnavailableError(
                f"executions can't be counted in Redis: {error}. Check BUDGET_GUARD_COUNTS"
            ) from error
        return int(found)

    def close(self) -> None:
        """See Counts."""
        self._redis.close()
