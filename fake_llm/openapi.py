"""Adds the hot routes, which FastAPI does not serve, to the OpenAPI document."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from fake_llm.routes import Route

_REF: Final = "#/components/schemas/{model}"


def with_hot_routes(
    openapi: Callable[[], dict[str, Any]], routes: Iterable[Route[Any]]
) -> Callable[[], dict[str, Any]]:
    """Wrap FastAPI's `openapi` so that its document tells of the hot routes too."""

    def documented() -> dict[str, Any]:
        document = openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for route in routes:
            schema = route.request_model.model_json_schema(ref_template=_REF)
            schemas.update(schema.pop("$defs", {}))
            schemas[route.request_model.__name__] = schema
            document["paths"][route.path] = {"post": _operation(route)}
        return document

    return documented


def _operation(route: Route[Any]) -> dict[str, Any]:
    body = {"schema": {"$ref": _REF.format(model=route.request_model.__name__)}}
    answer: dict[str, Any] = {"application/json": {}, "text/event-stream": {}}
    return {
        "summary": route.operation.replace("_", " ").title(),
        "description": f"Answers as {route.provider} does, and charges the call.",
        "operationId": route.operation,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "The answer", "content": answer},
            "400": {"description": f"{route.provider}'s error shape: every bad field is named"},
            "405": {"description": "Anything but POST"},
            "413": {"description": "A body larger than 4 MiB"},
        },
    }
