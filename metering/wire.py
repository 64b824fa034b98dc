"""What all bodies of the wire have in common."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json

from metering.errors import RequestError

JsonObject = dict[str, Any]

TAG_TEXT: Final = "<text>"
TAG_LIST: Final = "<list>"
"""Tags of what may be a string or a list; errors don't show them."""


class WireModel(BaseModel):
    """Strict about the fields it knows, open to those it does not."""

    model_config = ConfigDict(
        extra="allow", strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    def unknown_fields(self, free: frozenset[str]) -> list[str]:
        """Name the fields that neither the model nor the list knows, and that are not null."""
        extra = self.model_extra or {}
        return [name for name, value in extra.items() if value is not None and name not in free]


AnyWireModel = TypeVar("AnyWireModel", bound=WireModel)


def encode_json(value: Any) -> bytes:
    """Encode compact JSON in UTF-8."""
    return to_json(value)


def decode_json(body: bytes | str) -> Any:
    """Decode JSON; raises ValueError when it is none."""
    return from_json(body)


def text_or_list(value: Any) -> str | None:
    """Tell what a field holds that may be a string or a list: the discriminator of its union."""
    if isinstance(value, str):
        return TAG_TEXT
    return TAG_LIST if isinstance(value, list) else None


def read_request(
    model: type[AnyWireModel], body: bytes | str, error_class: type[RequestError] = RequestError
) -> AnyWireModel:
    """Read a request body.

    Raises:
        RequestError: The body is no JSON, or fields are missing or wrong: all are named.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _request_error(error, error_class) from None


def _request_error(error: ValidationError, error_class: type[RequestError]) -> RequestError:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        detail = problems[0]["msg"].removeprefix("Invalid JSON: ")
        return error_class(f"The body of your request is no valid JSON: {detail}")
    fields = [_field_path(problem["loc"]) for problem in problems]
    lines = [
        f"{field}: {problem['msg']}" if field else problem["msg"]
        for field, problem in zip(fields, problems, strict=True)
    ]
    return error_class("; ".join(lines), param=fields[0] or None)


def _field_path(loc: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in loc if part not in {TAG_TEXT, TAG_LIST})
