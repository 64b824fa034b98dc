"""Reads OpenAI's streamed answers as they pass: usage, ends, and how much was said.

Every event passes in order and at once; the one that only carries the usage is left out when the
client did not ask for it.
"""

from collections.abc import Iterator
from typing import Any, Final

from budget.calls.streams import OutputMeter
from metering.chat import read_usage
from metering.errors import UsageError
from metering.sse import DONE_DATA, EventParser, encode_event
from metering.usage import Usage
from metering.wire import decode_json

_TEXTS_OF_DELTA: Final = ("content", "refusal", "reasoning_content", "reasoning")


class ChatStream:
    """Follows one stream.

    Args:
        model: Whose answer it is.
        max_output_tokens: What was reserved for each choice.
        wants_usage: Whether the client asked for the usage chunk itself.
        choices: How many answers are asked for: the stream is whole when each has its finish
            reason, or after `[DONE]`.

    Attributes:
        meter: Counts what passes.
    """

    def __init__(
        self, model: str, max_output_tokens: int, *, wants_usage: bool, choices: int = 1
    ) -> None:
        self.meter = OutputMeter(model, choices * max_output_tokens, choices)
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
        if data.strip() == DONE_DATA:
            self._is_done = True
            return False
        document = _object(data)
        choices = _objects(document.get("choices"))
        for choice in choices:
            self._note_choice(choice)
        if document.get("usage") is None and document:
            return False
        try:
            usage = read_usage(data)
        except UsageError:
            # The figures of an earlier chunk would be too low.
            self._usage = self._final_usage = None
            return False
        self._usage = usage
        if document.get("choices") != []:
            return False
        self._final_usage = usage
        return True

    def _note_choice(self, choice: dict[str, Any]) -> None:
        index = choice.get("index", 0)
        if isinstance(choice.get("finish_reason"), str) and isinstance(index, int):
            self._finished.add(index)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self.meter.add("".join(_texts(delta)))


def _object(data: str) -> dict[str, Any]:
    try:
        document = decode_json(data)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _texts(delta: dict[str, Any]) -> Iterator[str]:
    """Yield what of a delta was generated as tokens."""
    for name in _TEXTS_OF_DELTA:
        if isinstance(delta.get(name), str):
            yield delta[name]
    calls = [call.get("function") for call in _objects(delta.get("tool_calls"))]
    for call in _objects([*calls, delta.get("function_call")]):
        yield from (call[name] for name in ("name", "arguments") if isinstance(call.get(name), str))
