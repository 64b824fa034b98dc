"""What a state store does for workflows: it keeps rows, and knows nothing of what is in them.

Small, so that a store can be wrapped by one that is slow or fails.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol


class Rows(Protocol):
    """Keeps bytes under keys, each with a counter of its writes and perhaps an expiry.

    All methods but `close` raise StoreError when the store can't be reached or refuses.
    """

    async def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Return what is under each key; None where that is nothing, or has expired."""

    async def write(
        self, written: Mapping[str, bytes], deleted: Collection[str], ttl_s: int | None
    ) -> None:
        """Delete keys, then write others: all of it or nothing.

        Args:
            written: The new bytes by key; a key that is deleted as well counts its writes anew.
            deleted: Keys that go; there need not be anything under them.
            ttl_s: Seconds until what is written expires; 0 for never; None leaves a key the expiry
                that it has, and gives a new key none.
        """

    async def keys(self, prefix: str, suffix: str) -> Sequence[str]:
        """Return the keys that begin and end so, in the order of their UTF-8 bytes."""

    async def ttls_s(self, keys: Sequence[str]) -> Sequence[int | None]:
        """Return in how many seconds each key expires; None where it never does or is not there."""

    async def ping(self) -> None:
        """Return when the store answers."""

    async def close(self) -> None:
        """Let go of the store."""
