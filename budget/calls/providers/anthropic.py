"""How Anthropic's clients read errors."""

from http import HTTPStatus
from typing import Final

from budget.calls.refusals import Refusal
from metering.messages import error_body
from metering.sse import encode_event
from metering.wire import encode_json

_TYPE_OF_STATUS: Final = {
    HTTPStatus.BAD_REQUEST: "invalid_request_error",
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.PAYMENT_REQUIRED: "billing_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.REQUEST_TIMEOUT: "timeout_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid_request_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout_error",
}
"""Types of Anthropic's page on errors; any other status is an `api_error`."""


class Anthropic:
    """Anthropic."""

    name = "anthropic"

    def error_body(self, refusal: Refusal) -> bytes:
        """Encode `{"type": "error", "error": …}`."""
        more = dict(refusal.more)
        if refusal.param is not None:
            more["param"] = refusal.param
        kind = _TYPE_OF_STATUS.get(HTTPStatus(refusal.status), "api_error")
        return encode_json(error_body(refusal.message, kind=kind, code=refusal.code, **more))

    def error_event(self, refusal: Refusal) -> bytes:
        """Encode an `error` event: clients raise it, and nothing follows."""
        return encode_event(self.error_body(refusal), "error")


ANTHROPIC: Final = Anthropic()
