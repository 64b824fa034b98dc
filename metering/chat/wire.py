"""What all bodies of the wire have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json, to_json

JsonObject = dict[str, Any]


class WireModel(BaseModel):
    """Strict about the fields it knows, open to those it does not."""

    model_config = ConfigDict(
        extra="allow", strict=True, allow_inf_nan=False, protected_namespaces=()
    )


def encode_json(value: Any) -> bytes:
    """Encode compact JSON in UTF-8."""
    return to_json(value)


def decode_json(body: bytes | str) -> Any:
    """Decode JSON; raises ValueError when it is none."""
    return from_json(body)
