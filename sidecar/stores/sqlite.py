"""Keeps rows in an SQLite database: in memory, or in a file that outlives a killed sidecar.

Same keys, counters and expiry as in Redis. The expiry goes by the monotonic clock, which all
processes of a machine share; what has expired is gone for every reader, and deleted by the writes
that follow.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sidecar.errors import StoreError

_BUSY_S = 5.0
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS rows (
        key TEXT PRIMARY KEY, data BLOB NOT NULL, version INTEGER NOT NULL, expires_s REAL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS expiry ON rows (expires_s) WHERE expires_s IS NOT NULL;
"""
_READ = "SELECT data FROM rows WHERE key = ? AND (expires_s IS NULL OR expires_s > ?)"
_EXPIRY = "SELECT expires_s FROM rows WHERE key = ? AND expires_s > ?"
_PURGE = "DELETE FROM rows WHERE expires_s <= ?"
_WRITE = """
    INSERT INTO rows (key, data, version, expires_s) VALUES (:key, :data, 1, :expires_s)
    ON CONFLICT DO UPDATE SET data = :data, version = version + 1,
        expires_s = CASE WHEN :keep THEN expires_s ELSE :expires_s END
"""
_KEYS = """
    SELECT key FROM rows WHERE key >= :prefix AND substr(key, 1, length(:prefix)) = :prefix
    AND substr(key, -length(:suffix)) = :suffix AND (expires_s IS NULL OR expires_s > :now_s)
    ORDER BY key
"""


class SqliteRows:
    """Rows in one database.

    Args:
        path: Of its file; by default in memory, and lost with this object.
        now_s: The monotonic clock, in seconds.
    """

    def __init__(self, path: str = ":memory:", now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        with _named_errors():
            self._database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            # A killed process loses nothing that the operating system has been given.
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.executescript(_SCHEMA)

    async def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Read the keys as they are at one moment."""
        now_s = self._now_s()
        with _named_errors(), self._transaction("BEGIN"):
            found = [self._database.execute(_READ, (key, now_s)).fetchone() for key in keys]
        return [None if row is None else row[0] for row in found]

    async def write(
        self, written: Mapping[str, bytes], deleted: Collection[str], ttl_s: int | None
    ) -> None:
        """Write in one transaction."""
        now_s = self._now_s()
        expiry = {"expires_s": now_s + ttl_s if ttl_s else None, "keep": ttl_s is None}
        rows = [{"key": key, "data": data, **expiry} for key, data in written.items()]
        with _named_errors(), self._transaction("BEGIN IMMEDIATE"):
            self._database.execute(_PURGE, (now_s,))
            self._database.executemany("DELETE FROM rows WHERE key = ?", ((k,) for k in deleted))
            self._database.executemany(_WRITE, rows)

    async def keys(self, prefix: str, suffix: str) -> Sequence[str]:
        """Look the keys up."""
        sought = {"prefix": prefix, "suffix": suffix, "now_s": self._now_s()}
        with _named_errors():
            return [key for (key,) in self._database.execute(_KEYS, sought)]

    async def ttls_s(self, keys: Sequence[str]) -> Sequence[int | None]:
        """Look the expiries up."""
        now_s = self._now_s()
        with _named_errors():
            rows = [self._database.execute(_EXPIRY, (key, now_s)).fetchone() for key in keys]
        return [None if row is None else round(row[0] - now_s) for row in rows]

    async def ping(self) -> None:
        """Read something."""
        with _named_errors():
            self._database.execute("SELECT 1 FROM rows LIMIT 1").fetchone()

    async def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._database.execute(begin)
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"state store: {error}") from error
