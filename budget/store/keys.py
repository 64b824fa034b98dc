"""The keys in Redis, one record each: read with every call, so that a revocation holds at once.

Revoking is a deletion, which a full Redis (`maxmemory`) carries out too.
"""

import contextlib
from typing import Any, Final

from budget.access.keys import KeyRecord, decode_record
from budget.errors import BudgetError, StoreUnavailableError
from budget.scopes import KEY_PREFIX
from budget.store.link import RedisLink

KEYS: Final = f"{KEY_PREFIX}keys"
REVOKED: Final = f"{KEY_PREFIX}revoked_keys"
MAX_KEYS: Final = 10_000
REVOKED_ENTRIES: Final = 1_000


class KeyBookFullError(BudgetError):
    """There are MAX_KEYS keys: revoke some."""


class KeyBook:
    """Adds, finds and revokes keys; raises `StoreUnavailableError` when Redis does not answer."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def find(self, key_id: str) -> KeyRecord | None:
        """Return a key's record, None when there is none or it was revoked."""
        text = await self._link.send("HGET", KEYS, key_id)
        return None if text is None else _read(text)

    async def count(self) -> int:
        """Return how many keys there are."""
        return int(await self._link.send("HLEN", KEYS))

    async def all(self) -> tuple[KeyRecord, ...]:
        """Return every key, oldest first; expired ones too, revoked ones not."""
        row = await self._link.send("HGETALL", KEYS)
        texts = row.values() if isinstance(row, dict) else row[1::2]
        return tuple(sorted(map(_read, texts), key=lambda record: record.created_unix_ms))

    async def revoked(self) -> tuple[tuple[KeyRecord, int], ...]:
        """Return the keys revoked last, each with when (unix ms), oldest first."""
        entries = await self._link.send("XREVRANGE", REVOKED, "+", "-", "COUNT", REVOKED_ENTRIES)
        return tuple(_revoked(entry) for entry in reversed(entries))

    async def add(self, record: KeyRecord) -> None:
        """Keep a new key.

        Raises:
            KeyBookFullError: There are too many.
            StoreUnavailableError: Also when another key has its id.
        """
        if await self.count() >= MAX_KEYS:
            raise KeyBookFullError(
                f"there are {MAX_KEYS} keys, the most; revoke what is not used any more"
            )
        if not await self._link.send("HSETNX", KEYS, record.id, record.encode()):
            raise StoreUnavailableError("another key has this id; try again")

    async def revoke(self, key_id: str) -> KeyRecord | None:
        """Let a key open nothing any more, from the next call on; None when there is none.

        That it was revoked is remembered unless the store is full.
        """
        text = await self._link.send("HGET", KEYS, key_id)
        if text is None or not await self._link.send("HDEL", KEYS, key_id):
            return None
        with contextlib.suppress(StoreUnavailableError):
            await self._link.send(
                *("XADD", REVOKED, "MAXLEN", "~", REVOKED_ENTRIES, "*", "record", text)
            )
        return _read(text)


def _read(text: str) -> KeyRecord:
    try:
        return decode_record(text)
    except ValueError as error:
        raise StoreUnavailableError(f"a key's record can't be read: {error}") from None


def _revoked(entry: list[Any]) -> tuple[KeyRecord, int]:
    entry_id, (_, text) = entry
    return _read(text), int(entry_id.partition("-")[0])
