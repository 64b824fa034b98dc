"""Chat completions as OpenAI spells them: request, answer, chunks, usage, errors."""

from metering.chat.answer import ChatChunk, ChatUsage, ChunkChoice, ChunkDelta, read_usage
from metering.chat.build import chunk_body, completion_body, error_body, usage_body
from metering.chat.request import (
    ChatMessage,
    ChatRequest,
    ContentPart,
    StreamOptions,
    parse_chat_request,
)
from metering.wire import JsonObject, decode_json, encode_json

__all__ = [
    "ChatChunk",
    "ChatMessage",
    "ChatRequest",
    "ChatUsage",
    "ChunkChoice",
    "ChunkDelta",
    "ContentPart",
    "JsonObject",
    "StreamOptions",
    "chunk_body",
    "completion_body",
    "decode_json",
    "encode_json",
    "error_body",
    "parse_chat_request",
    "read_usage",
    "usage_body",
]
