"""Tells whether the same call was served before: the incident's own metric.

A call is the same when its instance, its execution id (its activity where it has none) and its
body are. A caller without an instance makes no duplicates. Memory is bounded: the keys of the last
`MAX_KEYS` different calls are remembered; a call that comes again after so many others counts as
new.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

from metering.identity import UNKNOWN, CallerIdentity

MAX_KEYS: Final = 200_000


class Duplicates:
    """Remembers which calls were served, the least recently seen forgotten first."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def seen(self, identity: CallerIdentity, body_hash: bytes) -> bool:
        """Remember a served call, and tell whether it was served before."""
        if identity.instance == UNKNOWN:
            return False
        key = _key(identity, body_hash)
        if key in self._seen:
            self._seen.move_to_end(key)
            return True
        self._seen[key] = None
        if len(self._seen) > self._max_keys:
            self._seen.popitem(last=False)
        return False

    def clear(self) -> None:
        """Forget all calls."""
        self._seen.clear()


def _key(identity: CallerIdentity, body_hash: bytes) -> bytes:
    known = identity.execution_id != UNKNOWN
    kind, place = ("execution", identity.execution_id) if known else ("activity", identity.activity)
    text = f"{kind}\0{identity.instance}\0{place}".encode(errors="replace")
    return blake2b(text + b"\0" + body_hash, digest_size=16).digest()
