"""Adds the data path, which FastAPI does not serve, to the OpenAPI page."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from budget.calls.free import COUNT_TOKENS_PATH, MODELS_PATH
from budget.calls.providers import CHAT_PATH, EMBEDDINGS_PATH, MESSAGES_PATH
from metering.chat import ChatRequest
from metering.embeddings import EmbeddingRequest
from metering.messages import MessagesRequest

_METERED: Final[tuple[tuple[str, str, type[BaseModel]], ...]] = (
    (CHAT_PATH, "Chat completion, within the budget", ChatRequest),
    (EMBEDDINGS_PATH, "Embeddings, within the budget", EmbeddingRequest),
    (MESSAGES_PATH, "Anthropic's messages, within the budget", MessagesRequest),
)
_FREE: Final = (
    (MODELS_PATH, "get", "The provider's models"),
    (f"{MODELS_PATH}/{{id}}", "get", "One of the provider's models"),
    (COUNT_TOKENS_PATH, "post", "Anthropic's count of a prompt's tokens"),
)
_RESPONSES: Final = {
    "200": {"description": "The provider's answer, plain or streamed."},
    "400": {"description": "Malformed, `unpriced_model` or `unbounded_cost`."},
    "402": {
        "description": "`budget_exceeded`, `request_exceeds_budget`, `budget_killed` or "
        "`workflow_not_live`."
    },
    "422": {"description": "`idempotency_mismatch`: the key's body was another."},
    "429": {
        "description": "`budget_in_flight`: only held money is in the way; "
        "`idempotency_in_flight`: the same call is under way."
    },
    "503": {"description": "`budget_store_unavailable`."},
}


def document_provider_routes(control: FastAPI) -> None:
    """Let the application's OpenAPI document tell of the providers' routes too."""
    build = control.openapi

    def with_provider_routes() -> dict[str, Any]:
        document = build()
        for path, summary, model in _METERED:
            document["paths"][path] = {"post": _metered(document, summary, model)}
        for path, method, summary in _FREE:
            answer = {"200": {"description": "The provider's answer."}}
            found = {"tags": ["provider"], "summary": summary, "responses": answer}
            document["paths"][path] = {method: found}
        return document

    control.openapi = with_provider_routes  # type: ignore[method-assign]  # FastAPI's documented way


def _metered(document: dict[str, Any], summary: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    return {
        "tags": ["provider"],
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": _RESPONSES,
    }
