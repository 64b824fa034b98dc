"""Stored answers: which are kept for a repeated idempotency key, and how they read.

Pure. Bounded: one in size, all in number, size and age.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from metering.chat import decode_json, encode_json

MAX_STORED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Shelf:
    """How many answers are kept: the oldest leave first.

    Attributes:
        most: In number.
        most_bytes: Bodies and headers together.
        most_age_ms: Since they were stored.
    """

    most: int = 100_000
    most_bytes: int = 256 << 20
    most_age_ms: int = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as Redis keeps it: text, for the link decodes what it reads."""

    status: int
    headers: str
    body: str

    @property
    def size(self) -> int:
        """Roughly how much memory it takes, in bytes."""
        return len(self.headers) + len(self.body)

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as ASGI sends them."""
        pairs = decode_json(self.headers)
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def storable(
    status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> StoredAnswer | None:
    """Return an answer as it is stored; None for an error, and for what is too large or no text."""
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or len(body) > MAX_STORED_BYTES:
        return None
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]
    try:
        return StoredAnswer(status, encode_json(pairs).decode(), body.decode())
    except UnicodeDecodeError:
        return None


class Tee:
    """Keeps what passes, up to a bound; None once it was too much."""

    def __init__(self, most_bytes: int = MAX_STORED_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: bytearray | None = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take what passes."""
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > self._most_bytes:
                self._kept = None

    @property
    def kept(self) -> bytes | None:
        """All of it, or nothing."""
        return None if self._kept is None else bytes(self._kept)
