"""What the control API's routes share: query fields, errors, the shape of every document."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from metering.identity import MAX_VALUE_LENGTH

DEFAULT_PAGE: Final = 100

After = Annotated[int, Query(ge=0, le=2**53, description="Cursor: 0 is the beginning.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items.")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_VALUE_LENGTH)]


class Document(BaseModel):
    """A JSON object with exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Problem(Document):
    """What is wrong, for people (`message`) and for programs (`code`)."""

    message: str
    type: str
    code: str


class ErrorDocument(Document):
    """The one shape of the control API's errors."""

    error: Problem


def _decoded(value: str) -> str:
    """Decode an id: its route was found while it was still encoded."""
    instance = unquote(value)
    if not 1 <= len(instance) <= MAX_VALUE_LENGTH:
        raise ValueError(f"an instance id has 1 to {MAX_VALUE_LENGTH} characters")
    return instance


InstanceId = Annotated[
    str, Path(description="Percent-encoded where needed."), AfterValidator(_decoded)
]


def errors(**descriptions: str) -> dict[int | str, dict[str, Any]]:
    """Document errors by status: `errors(_404="`unknown_instance`")`; 503 is every route's."""
    stated = {"_503": "`budget_store_unavailable`: the store does not answer.", **descriptions}
    return {
        int(status.removeprefix("_")): {"model": ErrorDocument, "description": description}
        for status, description in stated.items()
    }


BAD_QUERY: Final = "`invalid_query`: the message names every bad parameter."
BAD_BODY: Final = "`invalid_body`: the message names every bad field."


def error_answer(
    status: int, message: str, code: str, headers: Sequence[tuple[str, str]] = ()
) -> JSONResponse:
    """Build an error of the control API."""
    error = {"message": message, "type": "control_error", "code": code}
    return JSONResponse({"error": error}, status, headers=dict(headers))


async def on_store_unavailable(_request: Request, error: Exception) -> Response:
    """Answer when the store can't be read."""
    return error_answer(503, str(error), "budget_store_unavailable", [("retry-after", "5")])
