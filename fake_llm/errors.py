"""What the fake LLM refuses.

FakeLlmError
└── ApiError            the client's mistake: an answer in OpenAI's error shape
    ├── BadRequestError       400, names every bad field
    ├── ContextLengthError    400 `context_length_exceeded`
    ├── MethodNotAllowedError 405
    └── BodyTooLargeError     413
"""

from http import HTTPStatus
from typing import Final

INVALID_REQUEST: Final = "invalid_request_error"


class FakeLlmError(Exception):
    """Base of every error of this package."""


class ApiError(FakeLlmError):
    """A refusal that the client reads.

    Attributes:
        status: HTTP status.
        message: What is wrong and how to mend it.
        param: The field at fault, or None.
        code: OpenAI's `error.code`, or None.
    """

    status: HTTPStatus = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        self.message = message
        self.param = param
        self.code = code
        super().__init__(message)


class BadRequestError(ApiError):
    """A body that no provider, or this one not, can answer."""


class ContextLengthError(ApiError):
    """A prompt and an answer that don't fit the model's context window."""

    def __init__(self, *, window: int, prompt_tokens: int, answer_tokens: int) -> None:
        super().__init__(
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{prompt_tokens + answer_tokens} tokens ({prompt_tokens} in the messages, "
            f"{answer_tokens} in the completion). Please reduce the length of the messages or "
            "completion.",
            param="messages",
            code="context_length_exceeded",
        )


class MethodNotAllowedError(ApiError):
    """Anything but POST on a route that takes POST."""

    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, method: str) -> None:
        super().__init__(f"Not allowed to {method} here: use POST.", code="method_not_allowed")


class BodyTooLargeError(ApiError):
    """A body larger than the service reads."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"The body of your request is larger than {limit_bytes} bytes.",
            code="request_too_large",
        )
