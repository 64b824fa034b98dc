"""The events of a streamed answer, as far as they concern its cost.

`message_start` reports the prompt, each `message_delta` all that was used so far: its counts are
cumulative, and replace earlier ones. `ping` and unknown events may come at any time; `error` ends a
stream that is not whole; `message_stop` ends one that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from metering.errors import UsageError
from metering.wire import decode_json

START: Final = "message_start"
DELTA: Final = "message_delta"
STOP: Final = "message_stop"

_TEXTS_OF_DELTA: Final = ("text", "thinking", "partial_json")


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event.

    Attributes:
        type: Its type; empty when it is none of Anthropic's.
        usage: The counts that it reports, those that are null left out.
        text: What it adds to the answer.
    """

    type: str
    usage: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


def read_event(data: str) -> StreamEvent:
    """Read an event's data.

    Raises:
        UsageError: It is no JSON object, so nobody can tell what it reports.
    """
    try:
        document = decode_json(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UsageError(f"an event that is no JSON object: {data[:200]!r}")
    kind = document.get("type")
    return StreamEvent(kind if isinstance(kind, str) else "", _usage(document), _text(document))


def _usage(document: dict[str, Any]) -> dict[str, Any]:
    holder = document.get("message") if document.get("type") == START else document
    usage = holder.get("usage") if isinstance(holder, dict) else None
    if not isinstance(usage, dict):
        return {}
    return {name: value for name, value in usage.items() if value is not None}


def _text(document: dict[str, Any]) -> str:
    delta = document.get("delta")
    if not isinstance(delta, dict):
        return ""
    found = (delta.get(name) for name in _TEXTS_OF_DELTA)
    return "".join(text for text in found if isinstance(text, str))
