"""What Anthropic's routes have in common: the shape of errors.

Their types by status are those of platform.claude.com/docs/en/api/errors.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fake_llm.errors import ApiError, ContextLengthError
from metering.messages import error_body
from metering.wire import encode_json

_INVALID_REQUEST: Final = "invalid_request_error"
_API_ERROR: Final = "api_error"
_KIND_OF_STATUS: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def encode_error(error: ApiError) -> bytes:
    """Encode an error as Anthropic does, which has neither codes nor params."""
    return encode_json(error_body(_message(error), kind=kind_of(error.status)))


def kind_of(status: int) -> str:
    """Return the `error.type` of a status."""
    is_server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _KIND_OF_STATUS.get(status, _API_ERROR if is_server else _INVALID_REQUEST)


def _message(error: ApiError) -> str:
    if not isinstance(error, ContextLengthError):
        return error.message
    if error.prompt_tokens > error.window:
        return f"prompt is too long: {error.prompt_tokens} tokens > {error.window} maximum"
    return (
        f"input length and `max_tokens` exceed context limit: {error.prompt_tokens} + "
        f"{error.answer_tokens} > {error.window}, decrease input length or `max_tokens` and try "
        "again"
    )
