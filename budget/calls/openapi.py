"""Adds to the OpenAPI page what FastAPI does not serve: the data path, and who is refused."""

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
_REFUSAL: Final = {
    "type": "object",
    "description": "Why a call is not made. Anthropic's shape has `type: error` beside `error`.",
    "required": ["error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
                "budget": {"type": "object", "description": "The limit that is in the way."},
            },
        },
    },
}
_NOT_LET_IN: Final = {
    "401": "`missing_api_key` or `invalid_api_key`, where keys are asked for.",
    "403": "`scope_forbidden`, `host_forbidden` or `origin_forbidden`.",
}
_ERRORS: Final = {
    "400": "Malformed, `unpriced_model` or `unbounded_cost`.",
    **_NOT_LET_IN,
    "402": "`budget_exceeded`, `request_exceeds_budget`, `budget_killed`, "
    "`budget_velocity_tripped` or `workflow_not_live`.",
    "408": "`request_timeout`: the body did not arrive.",
    "413": "`request_too_large`.",
    "422": "`idempotency_mismatch`: the key's body was another.",
    "429": "`budget_in_flight`: only held money is in the way; "
    "`idempotency_in_flight`: the same call is under way.",
    "502": "`upstream_unreachable`: nothing is charged; `upstream_interrupted`: the worst case is.",
    "503": "`budget_store_unavailable` or `gateway_overloaded`.",
    "504": "`upstream_timeout`: charged at the worst case.",
}
_FREE_ERRORS: Final = {
    **_NOT_LET_IN,
    "502": "`upstream_unreachable` or `upstream_interrupted`.",
    "503": "`budget_store_unavailable`.",
    "504": "`upstream_timeout`.",
}
_PUBLIC: Final = frozenset({"/", "/healthz", "/readyz"})
_METHODS: Final = frozenset({"get", "put", "post", "delete"})


def document_provider_routes(control: FastAPI) -> None:
    """Let the application's OpenAPI document tell of the providers' routes too."""
    build = control.openapi

    def with_provider_routes() -> dict[str, Any]:
        document = build()
        if "Refusal" in document["components"]["schemas"]:
            return document
        document["components"]["schemas"]["Refusal"] = _REFUSAL
        for path, found in document["paths"].items():
            for method in _METHODS & found.keys() if path not in _PUBLIC else ():
                found[method]["responses"] |= _refusals(_NOT_LET_IN)
        for path, summary, model in _METERED:
            document["paths"][path] = {"post": _metered(document, summary, model)}
        for path, method, summary in _FREE:
            found = {
                "tags": ["provider"],
                "summary": summary,
                "responses": _success("application/json") | _refusals(_FREE_ERRORS),
            }
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
        "responses": _success("application/json", "text/event-stream") | _refusals(_ERRORS),
    }


def _success(*media_types: str) -> dict[str, Any]:
    """Describe an answer that is the provider's own."""
    schemas: dict[str, dict[str, str]] = {
        "application/json": {"type": "object"},
        "text/event-stream": {"type": "string"},
    }
    content = {each: {"schema": schemas[each]} for each in media_types}
    return {"200": {"description": "The provider's answer.", "content": content}}


def _refusals(descriptions: dict[str, str]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {
        status: {"description": description, "content": content}
        for status, description in descriptions.items()
    }
