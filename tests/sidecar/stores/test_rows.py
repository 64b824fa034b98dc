"""What every state store does, on each of them."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis

from sidecar.components.state_store import RedisServer
from sidecar.errors import StoreError
from sidecar.names import AppNames
from sidecar.profiles import profile
from sidecar.protos import BackendWorkflowStateMetadata
from sidecar.stores.redis import RedisRows
from sidecar.stores.rows import Rows
from sidecar.stores.sqlite import SqliteRows
from sidecar.stores.workflows import WorkflowStore
from tests.support.services import redis_server

ODD = "app*[x]?\\||"


@pytest.fixture(scope="module")
def shared_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give a Redis-protocol server; each test empties it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, port):
        yield port


@pytest_asyncio.fixture(params=["redis", "memory", "file"])
async def rows(
    request: pytest.FixtureRequest, shared_port: int, tmp_path: Path
) -> AsyncIterator[Rows]:
    """Give an empty store of each kind."""
    if request.param == "redis":
        with redis.Redis(port=shared_port) as client:
            client.flushall()
        opened: Rows = RedisRows(RedisServer("127.0.0.1", shared_port))
    else:
        opened = SqliteRows(":memory:" if request.param == "memory" else str(tmp_path / "rows.db"))
    yield opened
    await opened.close()


async def test_what_was_written_is_read_and_what_was_deleted_is_not(rows: Rows) -> None:
    """A read answers in the order asked, with None for what is not there."""
    await rows.write({"a": b"1", "b": b"\x00\xff", "c": b""}, (), None)
    await rows.write({"d": b"4"}, ["a", "never"], None)
    assert list(await rows.read(["c", "a", "b", "d"])) == [b"", None, b"\x00\xff", b"4"]
    assert list(await rows.read(["a"])) == [None]


async def test_a_key_that_is_deleted_and_written_at_once_is_written(rows: Rows) -> None:
    """Deletions come first."""
    await rows.write({"a": b"1"}, (), None)
    await rows.write({"a": b"2"}, ["a"], None)
    assert list(await rows.read(["a"])) == [b"2"]


async def test_what_has_expired_is_gone(rows: Rows) -> None:
    """No reader and no listing sees it. A write without a TTL changes nothing; 0 keeps it."""
    await rows.write({"x:goes": b"2", "x:again": b"3", "x:stays": b"0"}, (), 1)
    await rows.write({"x:goes": b"3"}, (), None)
    await rows.write({"x:again": b"4"}, (), 60)
    await rows.write({"x:stays": b"1"}, (), 0)
    deadline = time.monotonic() + 5
    while (await rows.read(["x:goes"]))[0] is not None:
        assert time.monotonic() < deadline
    assert list(await rows.keys("x:", "s")) == ["x:stays"]
    assert list(await rows.read(["x:stays", "x:again"])) == [b"1", b"4"]


async def test_keys_are_found_by_both_ends_in_the_order_of_their_bytes(rows: Rows) -> None:
    """What would be a pattern is taken as it is."""
    names = [f"{ODD}{each}||m" for each in ("b", "a", "é", "Z", "")]
    others = ["appx||a||m", f"{ODD}a||history", "app*"]
    await rows.write(dict.fromkeys([*names, *others], b""), (), None)
    assert list(await rows.keys(ODD, "||m")) == sorted(names, key=str.encode)


async def test_instances_are_listed_by_pages(rows: Rows) -> None:
    """Every instance with metadata is on one page, and the last page has no token."""
    names = AppNames("lab", "default")
    store = WorkflowStore(rows, names, profile("1.18.3"), lambda: None)
    metadata = BackendWorkflowStateMetadata(generation=1).SerializeToString()
    await rows.write({names.key(f"i{n}", "metadata"): metadata for n in range(5)}, (), None)
    await rows.write({names.key("bare", "customStatus"): b""}, (), None)
    first = await store.instance_ids(2)
    second = await store.instance_ids(2, first.token)
    third = await store.instance_ids(2, second.token)
    assert (first.ids, second.ids, third.ids) == (("i0", "i1"), ("i2", "i3"), ("i4",))
    assert third.token is None
    assert (await store.instance_ids()).ids == ("i0", "i1", "i2", "i3", "i4")
    assert (await store.instance_ids(9, "77")).ids == ()


async def test_a_server_that_is_away_is_a_store_error(tmp_path: Path) -> None:
    """Whatever is asked of it."""
    with redis_server(tmp_path) as (service, port):
        rows = RedisRows(RedisServer("127.0.0.1", port))
        await rows.ping()
        service.kill()
        for call in (rows.ping(), rows.read(["a"]), rows.write({}, ["a"], 1), rows.keys("a", "b")):
            with pytest.raises(StoreError, match="state store: "):
                await call
        await rows.close()


async def test_the_time_left_is_told(rows: Rows) -> None:
    """In whole seconds; None for what never expires and what is not there."""
    await rows.write({"short": b"1"}, (), 100)
    await rows.write({"ever": b"1"}, (), 0)
    short, ever, never = await rows.ttls_s(["short", "ever", "never"])
    assert short in (99, 100)
    assert (ever, never) == (None, None)
