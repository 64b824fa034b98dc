"""Follows edits of the component files: a new TTL holds from the next write on.

An edit that can't be used is logged, and the last good component stays in force.
"""

import asyncio
from pathlib import Path

import structlog

from sidecar.components.manifests import Reader, component_files
from sidecar.components.state_store import StateStore, load_state_store
from sidecar.errors import ConfigError

_LOG = structlog.get_logger(scope="dapr.runtime.processor")
_POLL_S = 0.25
Stamp = tuple[tuple[str, int, int], ...]


class LiveComponent:
    """The actor state store in force.

    Args:
        resources_path: Folder of the component files.
        reader: Who reads them.
    """

    def __init__(self, resources_path: Path, reader: Reader) -> None:
        self._path = resources_path
        self._reader = reader
        self._stamp = self._read_stamp()
        self.store = load_state_store(resources_path, reader)

    def ttl_s(self) -> int | None:
        """Return the TTL in force, as in StateStore."""
        return self.store.ttl_s

    async def follow(self) -> None:
        """Look for edits until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            self.look()

    def look(self) -> None:
        """Take up an edit, if there is one."""
        try:
            stamp = self._read_stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._take(load_state_store(self._path, self._reader))
        except ConfigError as error:
            _LOG.error("component edit ignored; the last good one stays", error=str(error))

    def _take(self, edited: StateStore) -> None:
        if edited.connection != self.store.connection:
            _LOG.error(
                "component edit ignored; a state store's address changes only with a restart",
                component=edited.name,
            )
            return
        self.store = edited
        _LOG.info("component reloaded", component=edited.name, ttl_s=edited.ttl_s)

    def _read_stamp(self) -> Stamp:
        try:
            stats = [(each.name, each.stat()) for each in component_files(self._path)]
        except OSError as error:
            raise ConfigError(f"{self._path}: {error}") from None
        return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
