"""The rows of a state store, with the faults in between."""

from collections.abc import Collection, Mapping, Sequence

from sidecar.faults.store_faults import StoreFaults
from sidecar.stores.rows import Rows


class FaultyRows:
    """Rows whose operations pass by the faults; a ping counts as a read."""

    def __init__(self, rows: Rows, faults: StoreFaults) -> None:
        self._rows = rows
        self._faults = faults

    async def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Read, unless a fault strikes."""
        return await self._faults.around("reads", lambda: self._rows.read(keys))

    async def write(
        self, written: Mapping[str, bytes], deleted: Collection[str], ttl_s: int | None
    ) -> None:
        """Write, unless a fault strikes."""
        await self._faults.around("writes", lambda: self._rows.write(written, deleted, ttl_s))

    async def keys(self, prefix: str, suffix: str) -> Sequence[str]:
        """List keys, unless a fault strikes."""
        return await self._faults.around("reads", lambda: self._rows.keys(prefix, suffix))

    async def ttls_s(self, keys: Sequence[str]) -> Sequence[int | None]:
        """Read expiries, unless a fault strikes."""
        return await self._faults.around("reads", lambda: self._rows.ttls_s(keys))

    async def ping(self) -> None:
        """Reach the store, unless a fault strikes."""
        await self._faults.around("reads", self._rows.ping)

    async def close(self) -> None:
        """Let go of the store."""
        await self._rows.close()
