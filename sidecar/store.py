"""Keeps workflow state in Redis as Dapr's `state.redis` does: the same keys, types and values.

Every row is a hash of `data` and `version`, a counter of its writes. Each key gets the
component's TTL at every write. The rows of one save are written by one script, so all or none.
History rows are written once; metadata at every save; the custom status at every turn.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

import structlog
from google.protobuf.wrappers_pb2 import StringValue
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from sidecar.components import StateStore
from sidecar.errors import PartialStateError, StoreError
from sidecar.instance import Instance
from sidecar.names import AppNames, history_row, inbox_row
from sidecar.profiles import Profile
from sidecar.protos import BackendWorkflowStateMetadata, HistoryEvent

_LOG = structlog.get_logger(scope="dapr.runtime.actor.target.workflow.state")
_CONNECTIONS = 32
_TIMEOUT_S = 5.0
_MOST_READS = 5
_METADATA = "metadata"
_CUSTOM_STATUS = "customStatus"
_SAVE = resources.files("sidecar").joinpath("save.lua").read_text(encoding="utf-8")
Rows = dict[str, bytes]


def connect(store: StateStore) -> "Redis":
    """Return a client of the component's Redis; it connects when it is first used."""
    pool = BlockingConnectionPool(
        host=store.host,
        port=store.port,
        username=store.username or None,
        password=store.password or None,
        db=store.database,
        max_connections=_CONNECTIONS,
        timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        # A server that restarted has closed our idle connections: try once on a new one.
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[RedisConnectionError],
    )
    return Redis(connection_pool=pool)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StoreError(f"state store: {error}") from error


class WorkflowStore:
    """Loads and saves instances.

    Args:
        redis: The client.
        names: Names of the keys.
        profile: Says what a missing history row means.
        ttl_s: Read before each write: seconds until a written key expires; None for never.
    """

    def __init__(
        self, redis: "Redis", names: AppNames, profile: Profile, ttl_s: Callable[[], int | None]
    ) -> None:
        self._redis = redis
        self._names = names
        self._profile = profile
        self._ttl_s = ttl_s

    async def ping(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(await self._redis.ping())
        except RedisError:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def load(self, instance_id: str) -> Instance | None:
        """Return an instance, or None when its metadata is not there.

        Raises:
            PartialStateError: a declared row is missing, where the profile makes that an error.
        """
        for _ in range(_MOST_READS):
            read = await self._read(instance_id)
            # A save between the two reads may have deleted rows that its metadata no longer names.
            if read is None or None not in read.found or not await self._has_moved_on(read):
                break
        return None if read is None else self._instance(read)

    async def _read(self, instance_id: str) -> "_Read | None":
        metadata = await self._metadata(instance_id)
        if metadata is None:
            return None
        rows = [*map(history_row, range(metadata.historyLength))]
        rows += map(inbox_row, range(metadata.inboxLength))
        with _named_errors():
            found, custom_status = await self._rows(instance_id, rows)
        return _Read(instance_id, metadata, rows, found, custom_status)

    async def _has_moved_on(self, read: "_Read") -> bool:
        return await self._metadata(read.instance_id) != read.metadata

    def _instance(self, read: "_Read") -> Instance:
        for row, data in zip(read.rows, read.found, strict=True):
            if data is None:
                if self._profile.partial_history_loss == "error":
                    declared = read.metadata.historyLength
                    raise PartialStateError(read.instance_id, row, declared)
                _LOG.warning(f"Failed to load history state key '{row}': not found")
        written = read.metadata.historyLength
        status = read.custom_status
        return Instance(
            inbox=_parsed(read.found[written:]),
            history=_parsed(read.found[:written]),
            custom_status=None if status is None else StringValue.FromString(status).value,
            generation=read.metadata.generation,
        )

    async def _rows(
        self, instance_id: str, rows: Iterable[str]
    ) -> tuple[list[bytes | None], bytes | None]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for row in (*rows, _CUSTOM_STATUS):
                pipe.hget(self._names.key(instance_id, row), "data")
            *found, custom_status = await pipe.execute()
        return found, custom_status

    async def exists(self, instance_id: str) -> bool:
        """Tell whether the instance's metadata is there."""
        return await self._metadata(instance_id) is not None

    async def save_new(self, instance_id: str, state: Instance) -> None:
        """Write a started instance in place of whatever had its id."""
        old = await self._declared_rows(instance_id)
        await self._save(instance_id, _inbox(state, 0) | _metadata(state), old)

    async def save_event(self, instance_id: str, state: Instance) -> None:
        """Write the latest event of the inbox."""
        rows = _inbox(state, len(state.inbox) - 1) | _metadata(state)
        await self._save(instance_id, rows, ())

    async def save_turn(self, instance_id: str, before: Instance, after: Instance) -> None:
        """Write what a turn added to the history; the inbox it processed goes."""
        done = [inbox_row(each) for each in range(len(before.inbox))]
        written = len(before.history)
        if after.generation != before.generation:
            done += [history_row(each) for each in range(written)]
            written = 0
        rows = _history(after, written) | _inbox(after, 0) | _metadata(after)
        rows[_CUSTOM_STATUS] = StringValue(value=after.custom_status or "").SerializeToString()
        await self._save(instance_id, rows, done)

    async def purge(self, instance_id: str) -> None:
        """Delete all rows of an instance."""
        await self._save(instance_id, {}, await self._declared_rows(instance_id))

    async def _metadata(self, instance_id: str) -> BackendWorkflowStateMetadata | None:
        with _named_errors():
            data: Any = await self._redis.hget(self._names.key(instance_id, _METADATA), "data")
        return None if data is None else BackendWorkflowStateMetadata.FromString(data)

    async def _declared_rows(self, instance_id: str) -> list[str]:
        metadata = await self._metadata(instance_id)
        if metadata is None:
            return [_METADATA, _CUSTOM_STATUS]
        return [
            *map(history_row, range(metadata.historyLength)),
            *map(inbox_row, range(metadata.inboxLength)),
            _METADATA,
            _CUSTOM_STATUS,
        ]

    async def _save(self, instance_id: str, rows: Rows, deleted: Iterable[str]) -> None:
        gone = [self._names.key(instance_id, row) for row in deleted]
        keys = [*gone, *(self._names.key(instance_id, row) for row in rows)]
        with _named_errors():
            await self._redis.eval(
                _SAVE, len(keys), *keys, self._ttl_s() or 0, len(gone), *rows.values()
            )


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of an instance as they were found."""

    instance_id: str
    metadata: BackendWorkflowStateMetadata
    rows: list[str]
    found: list[bytes | None]
    custom_status: bytes | None


def _parsed(found: Iterable[bytes | None]) -> tuple[HistoryEvent, ...]:
    return tuple(HistoryEvent.FromString(each) for each in found if each is not None)


def _history(state: Instance, first: int) -> Rows:
    return {
        history_row(index): state.history[index].SerializeToString()
        for index in range(first, len(state.history))
    }


def _inbox(state: Instance, first: int) -> Rows:
    return {
        inbox_row(index): state.inbox[index].SerializeToString()
        for index in range(first, len(state.inbox))
    }


def _metadata(state: Instance) -> Rows:
    metadata = BackendWorkflowStateMetadata(
        inboxLength=len(state.inbox),
        historyLength=len(state.history),
        generation=state.generation,
    )
    return {_METADATA: metadata.SerializeToString()}
