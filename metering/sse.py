"""Server-sent events (WHATWG HTML, section 9.2): encode one, parse many from any split of bytes."""

import re
from dataclasses import dataclass
from typing import Final

from metering.errors import SseError

DONE_DATA: Final = "[DONE]"
"""The data of OpenAI's last event."""

DONE: Final = b"data: [DONE]\n\n"
"""OpenAI's last event, encoded."""

MEDIA_TYPE: Final = "text/event-stream; charset=utf-8"

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data lines joined by newlines, and its type."""

    data: str
    event: str = "message"


def encode_event(data: str | bytes, event: str | None = None) -> bytes:
    """Encode one event; data of several lines becomes several `data:` lines."""
    raw = data.encode() if isinstance(data, str) else data
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + _LINE_END.sub(b"\ndata: ", raw) + b"\n\n"


class EventParser:
    """Turns the bytes of a stream into events, whatever the boundaries of its reads.

    An event that the stream's end cuts short is never returned, as the standard says.

    Attributes:
        max_event_bytes: The most that one unfinished event may occupy.
    """

    def __init__(self, max_event_bytes: int = 1 << 20) -> None:
        self.max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._scanned = 0
        self._skip_lf = False
        self._at_start = True
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._type = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and return the events they complete.

        Raises:
            SseError: An unfinished event passes `max_event_bytes`.
        """
        self._buffer += chunk
        if self._at_start and not self._skip_bom():
            return []
        taken = [self._take_line(line) for line in self._lines()]
        if len(self._buffer) + self._data_bytes > self.max_event_bytes:
            raise SseError(f"a server-sent event of more than {self.max_event_bytes} bytes")
        return [event for event in taken if event is not None]

    def _skip_bom(self) -> bool:
        """Drop a leading byte order mark; False while it is undecided whether there is one."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._at_start = False
        return True

    def _lines(self) -> list[bytes]:
        """Cut the complete lines off the buffer; a final CR ends a line at once."""
        if self._skip_lf and self._buffer:
            if self._buffer[0] == ord("\n"):
                del self._buffer[0]
            self._skip_lf = False
        lines: list[bytes] = []
        start = 0
        for end in _LINE_END.finditer(self._buffer, self._scanned):
            lines.append(bytes(self._buffer[start : end.start()]))
            start = end.end()
            self._skip_lf = end.group() == b"\r" and start == len(self._buffer)
        del self._buffer[:start]
        self._scanned = len(self._buffer)
        return lines

    def _take_line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif field == b"event":
            self._type = value
        return None

    def _dispatch(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._data_bytes, self._type = [], 0, b""
        if not data:
            return None
        return Event(
            data=b"\n".join(data).decode(errors="replace"),
            event=kind.decode(errors="replace") or "message",
        )
