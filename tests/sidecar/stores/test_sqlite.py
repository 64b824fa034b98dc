"""Rows in SQLite: time, room and a second process."""

import sqlite3
from pathlib import Path

import pytest

from sidecar.components.state_store import IN_MEMORY, StateStore
from sidecar.errors import StoreError
from sidecar.profiles import profile
from sidecar.stores.opening import open_rows
from sidecar.stores.sqlite import SqliteRows


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(tmp_path: Path, clock: Clock) -> SqliteRows:
    return SqliteRows(str(tmp_path / "rows.db"), clock)


async def test_a_row_lives_for_its_ttl_from_its_last_write(rows: SqliteRows, clock: Clock) -> None:
    """To the moment: at five seconds it is gone."""
    await rows.write({"a": b"1", "b": b"1"}, (), 5)
    clock.at_s += 4
    await rows.write({"b": b"2"}, (), 5)
    clock.at_s += 1
    assert list(await rows.read(["a", "b"])) == [None, b"2"]


async def test_a_write_without_a_ttl_leaves_the_expiry_of_a_row(
    rows: SqliteRows, clock: Clock
) -> None:
    """As HSET does; a TTL of zero takes it away."""
    await rows.write({"a": b"1", "b": b"1"}, (), 5)
    await rows.write({"a": b"2"}, (), None)
    await rows.write({"b": b"2"}, (), 0)
    clock.at_s += 6
    assert list(await rows.read(["a", "b"])) == [None, b"2"]


async def test_the_next_write_frees_what_has_expired(
    rows: SqliteRows, clock: Clock, tmp_path: Path
) -> None:
    """So the database holds no more than what is alive, and what expired since the last write."""
    for _ in range(10):
        await rows.write({f"{clock.at_s}-{n}": b"x" for n in range(100)}, (), 5)
        clock.at_s += 6
    await rows.write({"last": b""}, (), None)
    with sqlite3.connect(tmp_path / "rows.db") as database:
        assert database.execute("SELECT count(*) FROM rows").fetchone() == (1,)


async def test_a_row_that_comes_back_counts_its_writes_anew(
    rows: SqliteRows, clock: Clock, tmp_path: Path
) -> None:
    """An expired row is not there to be updated."""
    await rows.write({"a": b"1"}, (), 5)
    await rows.write({"a": b"2"}, (), 5)
    clock.at_s += 6
    await rows.write({"a": b"3"}, (), 5)
    with sqlite3.connect(tmp_path / "rows.db") as database:
        assert database.execute("SELECT data, version FROM rows").fetchall() == [(b"3", 1)]


async def test_a_write_that_fails_changes_nothing(rows: SqliteRows) -> None:
    """Neither its deletions nor its rows."""
    await rows.write({"a": b"1"}, (), None)
    with pytest.raises(StoreError, match="state store: "):
        await rows.write({"b": b"2", "c": None}, ["a"], None)  # type: ignore[dict-item]
    assert list(await rows.read(["a", "b"])) == [b"1", None]


async def test_the_rows_outlive_whoever_wrote_them(tmp_path: Path) -> None:
    """A second reader of the file finds them without a farewell of the first."""
    path = str(tmp_path / "rows.db")
    await SqliteRows(path).write({"a": b"1"}, (), 60)
    assert list(await SqliteRows(path).read(["a"])) == [b"1"]


async def test_a_component_in_memory_is_nobody_elses() -> None:
    """Each sidecar has its own, and a restart begins with nothing."""
    first, second = (open_rows(StateStore("s", IN_MEMORY), profile("1.18.3")) for _ in range(2))
    await first.write({"a": b"1"}, (), None)
    assert list(await first.read(["a"])) == [b"1"]
    assert list(await second.read(["a"])) == [None]
    await first.close()
    await second.close()
