"""What a test does to the stored state from outside, as an operator or a clock would."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sidecar.names import AppNames
from sidecar.testing.errors import UsageError

_BUSY_S = 10.0
_ALL = "DELETE FROM rows"
_BY_PREFIX = "DELETE FROM rows WHERE substr(key, 1, length(?)) = ?"
_EXPIRE = "DELETE FROM rows WHERE expires_s IS NOT NULL"


def state_path(directory: Path) -> Path:
    """Return the file of the rows."""
    return directory / "state.sqlite3"


def lose(directory: Path, names: AppNames, instance_id: str = "", row: str = "") -> int:
    """Delete all rows, those of an instance, or one of them; return how many were there."""
    if not instance_id:
        return _execute(directory, _ALL)
    prefix = names.key(instance_id, row)
    if row:
        return _execute(directory, "DELETE FROM rows WHERE key = ?", prefix)
    return _execute(directory, _BY_PREFIX, prefix, prefix)


def expire(directory: Path) -> int:
    """Delete all rows that have a TTL; return how many there were.

    Raises:
        UsageError: there is none.
    """
    gone = _execute(directory, _EXPIRE)
    if not gone:
        raise UsageError(
            "no row of state has a TTL: give running_sidecar a ttl_s, or call lose_state()"
        )
    return gone


def _execute(directory: Path, statement: str, *values: str) -> int:
    with closing(sqlite3.connect(state_path(directory), timeout=_BUSY_S)) as database, database:
        return database.execute(statement, values).rowcount
