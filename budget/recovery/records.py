"""Records as they stand in a journal: length, checksum and one JSON object a line. Pure."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Record = dict[str, Any]

HEAD_BYTES: Final = 17
"""`llllllll cccccccc` without the space: length and CRC-32 in hexadecimal, then one space."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record, or a place where one is damaged.

    Attributes:
        position: Its first byte.
        end: The byte after it.
        record: None when its length or its checksum is wrong.
    """

    position: int
    end: int
    record: Record | None


def encode(record: Mapping[str, Any]) -> bytes:
    """Write a record, line feed included."""
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x%08x %s\n" % (len(body), zlib.crc32(body), body)


def scan(data: bytes) -> Iterator[Found]:
    """Find every record; what has no line feed at the end of the data is damaged."""
    position = 0
    while position < len(data):
        feed = data.find(b"\n", position)
        end = len(data) if feed < 0 else feed + 1
        line = b"" if feed < 0 else data[position:feed]
        yield Found(position, end, _decode(line))
        position = end


def _decode(line: bytes) -> Record | None:
    body = line[HEAD_BYTES:]
    if line[:HEAD_BYTES] != b"%08x%08x " % (len(body), zlib.crc32(body)):
        return None
    record: Record = json.loads(body)
    return record
