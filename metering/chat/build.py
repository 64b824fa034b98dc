"""Builds the bodies that a provider sends: answers, chunks, errors."""

from typing import Any

from metering.usage import Usage
from metering.wire import JsonObject


def usage_body(usage: Usage) -> JsonObject:
    """Build the `usage` of an answer."""
    writes = usage.cache_write_tokens + usage.cache_write_1h_tokens
    prompt = {"cached_tokens": usage.cached_tokens, "audio_tokens": 0}
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": prompt | ({"cache_write_tokens": writes} if writes else {}),
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
        },
    }


def completion_body(
    *, answer_id: str, created_s: int, model: str, content: str, finish_reason: str, usage: Usage
) -> JsonObject:
    """Build a plain answer with one choice; `created_s` is Unix time."""
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": created_s,
        "model": model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        ],
        "usage": usage_body(usage),
    }


def chunk_body(
    *,
    answer_id: str,
    created_s: int,
    model: str,
    delta: JsonObject | None,
    finish_reason: str | None = None,
    usage: Usage | None = None,
    null_usage: bool = False,
) -> JsonObject:
    """Build one chunk of a streamed answer; without a delta it is the one that holds the usage.

    Where usage was asked for, OpenAI's other chunks say `"usage": null`: `null_usage`.
    """
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    body: JsonObject = {
        "id": answer_id,
        "object": "chat.completion.chunk",
        "created": created_s,
        "model": model,
        "choices": choices if delta is not None else [],
    }
    if usage is not None or null_usage:
        body["usage"] = usage and usage_body(usage)
    return body


def error_body(
    message: str, *, kind: str, code: str | None = None, param: str | None = None, **more: Any
) -> JsonObject:
    """Build an error as OpenAI's clients read it; `more` joins the inner object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}
