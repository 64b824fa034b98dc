"""Messages as Anthropic spells them: request, answer, events, usage, errors."""

from metering.messages.answer import MessagesUsage, read_usage
from metering.messages.build import error_body, message_body, usage_body
from metering.messages.events import StreamEvent, read_event
from metering.messages.request import MessagesRequest, parse_messages_request

__all__ = [
    "MessagesRequest",
    "MessagesUsage",
    "StreamEvent",
    "error_body",
    "message_body",
    "parse_messages_request",
    "read_event",
    "read_usage",
    "usage_body",
]
