"""Adds the hot route, which FastAPI does not serve, to the OpenAPI document."""

from collections.abc import Callable
from typing import Any, Final

from fake_llm.completions import PATH
from metering.chat import ChatRequest

_REF: Final = "#/components/schemas/{model}"


def with_chat_completions(openapi: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Wrap FastAPI's `openapi` so that its document tells of chat completions too."""

    def documented() -> dict[str, Any]:
        document = openapi()
        schema = ChatRequest.model_json_schema(ref_template=_REF)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs", {}))
        schemas["ChatRequest"] = schema
        document["paths"][PATH] = {"post": _operation()}
        return document

    return documented


def _operation() -> dict[str, Any]:
    body = {"schema": {"$ref": _REF.format(model="ChatRequest")}}
    answer: dict[str, Any] = {"application/json": {}, "text/event-stream": {}}
    return {
        "summary": "Chat Completions",
        "description": "Answers as OpenAI does, plain or streamed, and charges the call.",
        "operationId": "chat_completions",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "The answer", "content": answer},
            "400": {"description": "OpenAI's error shape: what is wrong, every field named"},
            "413": {"description": "A body larger than 4 MiB"},
        },
    }
