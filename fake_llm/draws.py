"""Random draws that concurrency can't reorder: a function of seed, request and its n-th coming."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

MAX_REQUESTS: Final = 200_000
"""Requests whose comings are counted; one that comes again after so many others counts as new."""

_BYTES: Final = 8


class Draw:
    """The draws for one coming of one request."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def uniform(self, name: str) -> float:
        """Return a number from [0, 1): always the same for one name, others for other names."""
        digest = blake2b(name.encode(), digest_size=_BYTES, key=self._key).digest()
        # 53 bits are what a float holds: more could round up to 1.
        return (int.from_bytes(digest) >> 11) / (1 << 53)


class Draws:
    """Counts how often each request came, in bounded memory.

    Args:
        seed: Decides all draws.
        max_requests: How many different requests are remembered.
    """

    def __init__(self, seed: int, max_requests: int = MAX_REQUESTS) -> None:
        self._seed = seed
        self._max_requests = max_requests
        self._comings: OrderedDict[bytes, int] = OrderedDict()

    def next(self, request_hash: bytes) -> Draw:
        """Return the draws for a request that comes once more."""
        coming = self._comings.pop(request_hash, 0) + 1
        self._comings[request_hash] = coming
        if len(self._comings) > self._max_requests:
            self._comings.popitem(last=False)
        text = b"%d %d " % (self._seed, coming) + request_hash
        return Draw(blake2b(text, digest_size=32).digest())
