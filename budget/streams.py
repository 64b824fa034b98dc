"""Reads a streamed answer as it passes: the usage it reports, and what the client is to see of it.

Pure: bytes in, bytes out. Every event passes in order and at once; the one that only carries the
usage is left out when the client did not ask for it.
"""

from typing import TYPE_CHECKING, Final

from metering.chat import decode_json, read_usage
from metering.errors import UsageError
from metering.sse import EventParser, encode_event

if TYPE_CHECKING:
    from metering.usage import Usage

_MAY_HOLD_USAGE: Final = '"usage"'


class StreamReader:
    """Follows one stream.

    Args:
        wants_usage: Whether the client asked for the usage chunk itself.

    Attributes:
        usage: The last one reported; None without one, or when it can't be priced.
        final_usage: The one of the chunk that only carries usage: it holds although the stream
            breaks off after it. None until then.
    """

    def __init__(self, *, wants_usage: bool) -> None:
        self._wants_usage = wants_usage
        self._parser = EventParser()
        self.usage: Usage | None = None
        self.final_usage: Usage | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from upstream and return those for the client.

        Raises:
            SseError: An event is too large to be followed.
        """
        events = self._parser.feed(chunk)
        kept = [
            encode_event(event.data, None if event.event == "message" else event.event)
            for event in events
            if not self._is_only_usage(event.data)
        ]
        return chunk if self._wants_usage else b"".join(kept)

    def _is_only_usage(self, data: str) -> bool:
        if _MAY_HOLD_USAGE not in data:
            return False
        try:
            usage = read_usage(data)
        except UsageError:
            # The figures of an earlier chunk would be too low.
            self.usage = self.final_usage = None
            return False
        if usage is None:
            return False
        self.usage = usage
        if decode_json(data).get("choices") != []:
            return False
        self.final_usage = usage
        return True
