"""Keeps workflow state in rows as Dapr does: the same keys and values.

History rows are written once; metadata at every save; the custom status at every turn. Each row
gets the component's TTL at every write.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.wrappers_pb2 import StringValue

from sidecar.engine.instance import Instance
from sidecar.errors import InvalidKeyError, PartialStateError, StoreError
from sidecar.names import AppNames, history_row, inbox_row
from sidecar.profiles import Profile
from sidecar.protos import BackendWorkflowStateMetadata, HistoryEvent
from sidecar.stores.rows import Rows

_LOG = structlog.get_logger(scope="dapr.runtime.actor.target.workflow.state")
_MOST_READS = 5
_METADATA = "metadata"
_CUSTOM_STATUS = "customStatus"
_SEPARATOR = "||"
_PARTS_OF_A_KEY = 4
_Data = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class InstancePage:
    """Some of an app's instance ids.

    Attributes:
        ids: In the order of their keys.
        token: Asks for the next page; None after the last.
    """

    ids: tuple[str, ...]
    token: str | None


class WorkflowStore:
    """Loads and saves instances.

    Args:
        rows: Where they are kept.
        names: Names of the keys.
        profile: Says what a missing history row means.
        ttl_s: Read before each write: seconds until a written key expires; 0 for never; None leaves
            a key the expiry that it has.
    """

    def __init__(
        self, rows: Rows, names: AppNames, profile: Profile, ttl_s: Callable[[], int | None]
    ) -> None:
        self._rows = rows
        self._names = names
        self._profile = profile
        self._ttl_s = ttl_s

    async def ping(self) -> bool:
        """Tell whether the store answers."""
        try:
            await self._rows.ping()
        except StoreError:
            return False
        return True

    async def close(self) -> None:
        """Let go of the rows."""
        await self._rows.close()

    async def instance_ids(self, page_size: int = 0, token: str | None = None) -> InstancePage:
        """Return the ids of the app's instances that have metadata.

        As with Dapr's Redis store a token is an offset into the sorted keys, so what is created or
        purged between two pages moves what is on them (from Dapr's source, not recorded).

        Args:
            page_size: At most so many; 0 for all of them.
            token: Of the page before; one that is no number begins anew.

        Raises:
            InvalidKeyError: an id holds `||`; there is no page with it, nor any that it is on.
        """
        first = int(token) if token and token.isdecimal() else 0
        prefix, suffix = self._names.key("", "").removesuffix(_SEPARATOR), f"||{_METADATA}"
        keys = await self._rows.keys(prefix, suffix)
        end = min(first + page_size, len(keys)) if page_size else len(keys)
        ids = tuple(map(_instance_id, keys[first:end]))
        return InstancePage(ids, str(end) if end < len(keys) else None)

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
        keys = [self._names.key(instance_id, row) for row in (*rows, _CUSTOM_STATUS)]
        *found, custom_status = await self._rows.read(keys)
        return _Read(instance_id, metadata, rows, found, custom_status)

    async def _has_moved_on(self, read: "_Read") -> bool:
        return await self._metadata(read.instance_id) != read.metadata

    def _instance(self, read: "_Read") -> Instance | None:
        for row, data in zip(read.rows, read.found, strict=True):
            if data is None:
                if self._profile.partial_history_loss == "error":
                    declared = read.metadata.historyLength
                    raise PartialStateError(read.instance_id, row, declared)
                _LOG.warning(f"Failed to load history state key '{row}': not found")
                if self._profile.partial_history_loss == "not_found":
                    return None
        written = read.metadata.historyLength
        status = read.custom_status
        return Instance(
            inbox=_parsed(read.found[written:]),
            history=_parsed(read.found[:written]),
            custom_status=None if status is None else StringValue.FromString(status).value,
            generation=read.metadata.generation,
        )

    async def ttls_s(self, instance_ids: Sequence[str]) -> Sequence[int | None]:
        """Return in how many seconds the metadata of each instance expires; None for never."""
        return await self._rows.ttls_s([self._names.key(each, _METADATA) for each in instance_ids])

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
        (data,) = await self._rows.read([self._names.key(instance_id, _METADATA)])
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

    async def _save(self, instance_id: str, rows: _Data, deleted: Iterable[str]) -> None:
        written = {self._names.key(instance_id, row): data for row, data in rows.items()}
        gone = [self._names.key(instance_id, row) for row in deleted]
        await self._rows.write(written, gone, self._ttl_s())


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of an instance as they were found."""

    instance_id: str
    metadata: BackendWorkflowStateMetadata
    rows: list[str]
    found: list[bytes | None]
    custom_status: bytes | None


def _instance_id(key: str) -> str:
    parts = key.split(_SEPARATOR)
    if len(parts) != _PARTS_OF_A_KEY:
        raise InvalidKeyError(key)
    return parts[2]


def _parsed(found: Iterable[bytes | None]) -> tuple[HistoryEvent, ...]:
    return tuple(HistoryEvent.FromString(each) for each in found if each is not None)


def _history(state: Instance, first: int) -> _Data:
    return {
        history_row(index): state.history[index].SerializeToString()
        for index in range(first, len(state.history))
    }


def _inbox(state: Instance, first: int) -> _Data:
    return {
        inbox_row(index): state.inbox[index].SerializeToString()
        for index in range(first, len(state.inbox))
    }


def _metadata(state: Instance) -> _Data:
    metadata = BackendWorkflowStateMetadata(
        inboxLength=len(state.inbox),
        historyLength=len(state.history),
        generation=state.generation,
    )
    return {_METADATA: metadata.SerializeToString()}
