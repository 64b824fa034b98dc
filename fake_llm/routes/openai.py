"""What OpenAI's routes have in common: the shape of errors."""

from http import HTTPStatus
from typing import Final

from fake_llm.errors import ApiError
from metering.chat import encode_json, error_body

INVALID_REQUEST: Final = "invalid_request_error"
_SERVER_ERROR: Final = "server_error"
_RATE_LIMIT: Final = ("requests", "rate_limit_exceeded")
"""Type and code of a 429 that says nothing else."""


def encode_error(error: ApiError) -> bytes:
    """Encode an error as OpenAI does."""
    kind, code = _kind_and_code(error)
    return encode_json(error_body(error.message, kind=kind, code=code, param=error.param))


def _kind_and_code(error: ApiError) -> tuple[str, str | None]:
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        kind, code = _RATE_LIMIT
        return kind, error.code or code
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _SERVER_ERROR, error.code
    return INVALID_REQUEST, error.code
