"""Reads Anthropic's streamed answers as they pass; the client sees every byte of them."""

from typing import Any

from pydantic import ValidationError

from budget.calls.streams import OutputMeter
from metering.errors import UsageError
from metering.messages import MessagesUsage, read_event
from metering.messages.events import DELTA, START, STOP
from metering.sse import EventParser
from metering.usage import Usage


class MessagesStream:
    """Follows one stream.

    Args:
        model: Whose answer it is.
        max_output_tokens: What was reserved for it.

    Attributes:
        meter: Counts what passes.
    """

    def __init__(self, model: str, max_output_tokens: int) -> None:
        self.meter = OutputMeter(model, max_output_tokens)
        self._parser = EventParser()
        self._counts: dict[str, Any] = {}
        self._has_total = False
        self._is_stopped = False
        self._is_unreadable = False

    @property
    def usage(self) -> Usage | None:
        """The last cumulative one, once `message_stop` has come; None when it can't be priced."""
        if self._is_unreadable or not (self._has_total and self._is_stopped):
            return None
        try:
            return MessagesUsage.model_validate(self._counts).to_usage()
        except (ValidationError, UsageError):
            return None

    @property
    def final_usage(self) -> Usage | None:
        """The same: nothing follows `message_stop`."""
        return self.usage

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from upstream and return those for the client.

        Raises:
            SseError: An event is too large to be followed.
        """
        for event in self._parser.feed(chunk):
            self._note(event.data)
        return chunk

    def _note(self, data: str) -> None:
        try:
            event = read_event(data)
        except UsageError:
            self._is_unreadable = True
            return
        self.meter.add(event.text)
        if event.type in {START, DELTA}:
            self._counts.update(event.usage)
            self._has_total |= event.type == DELTA and "output_tokens" in event.usage
        elif event.type == STOP:
            self._is_stopped = True
