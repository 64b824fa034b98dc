"""Reads a streamed answer as it passes: the usage it reports, and what the client is to see of it.

Pure: bytes in, bytes out. Every event passes in order and at once; the one that only carries the
usage is left out when the client did not ask for it.
"""

import contextlib
import re
from typing import Final

from pydantic import ValidationError

from metering.chat import ChatChunk, decode_json, read_usage
from metering.errors import UsageError
from metering.sse import DONE_DATA, EventParser, encode_event
from metering.usage import Usage

_MAY_HOLD_USAGE: Final = '"usage"'
_HAS_FINISH_REASON: Final = re.compile(r'"finish_reason"\s*:\s*"')
"""Inside a string both of its quotes would be escaped, so words don't match."""


class StreamReader:
    """Follows one stream.

    Args:
        wants_usage: Whether the client asked for the usage chunk itself.
        choices: How many answers are asked for: the stream is whole when each has its finish
            reason, or after `[DONE]`.
    """

    def __init__(self, *, wants_usage: bool, choices: int = 1) -> None:
        self._wants_usage = wants_usage
        self._choices = choices
        self._parser = EventParser()
        self._finished: set[int] = set()
        self._is_done = False
        self._usage: Usage | None = None
        self._final_usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """The last one reported; None without one, when it can't be priced, or is partial."""
        return self._usage if self._is_whole else None

    @property
    def final_usage(self) -> Usage | None:
        """The one of the chunk that only carries usage: it holds though the stream breaks off."""
        return self._final_usage if self._is_whole else None

    @property
    def _is_whole(self) -> bool:
        return self._is_done or len(self._finished) >= self._choices

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
        self._note_end(data)
        if _MAY_HOLD_USAGE not in data:
            return False
        try:
            usage = read_usage(data)
        except UsageError:
            # The figures of an earlier chunk would be too low.
            self._usage = self._final_usage = None
            return False
        if usage is None:
            return False
        self._usage = usage
        if decode_json(data).get("choices") != []:
            return False
        self._final_usage = usage
        return True

    def _note_end(self, data: str) -> None:
        if data.strip() == DONE_DATA:
            self._is_done = True
        elif not self._is_whole and _HAS_FINISH_REASON.search(data):
            with contextlib.suppress(ValidationError):
                choices = ChatChunk.model_validate_json(data).choices
                self._finished |= {choice.index for choice in choices if choice.finish_reason}
