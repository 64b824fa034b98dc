"""What the fake LLM refuses, in words that every route can put into its provider's error shape.

FakeLlmError
├── ApiError                  an error that the client reads
│   ├── BadRequestError       400, names every bad field
│   ├── ContextLengthError    400, prompt and answer don't fit the model
│   ├── MethodNotAllowedError 405
│   └── BodyTooLargeError     413
└── BadFaultError             the tester's: a fault that can't be set, every bad field named
"""

from math import ceil
from typing import Final

CONTEXT_LENGTH: Final = "context_length_exceeded"


class FakeLlmError(Exception):
    """Base of every error of this package."""


class ApiError(FakeLlmError):
    """An error that the client reads: its route gives it the provider's shape.

    Attributes:
        status: HTTP status.
        message: What is wrong and how to mend it.
        param: The field at fault, or None.
        code: What `error.code` says where the provider has one, or None.
        retry_after_s: When to come again, in seconds; None: nothing is said about it.
    """

    status: int = 400

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s
        super().__init__(message)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that tell what the body does not.

        `Retry-After` is whole seconds, rounded up; `retry-after-ms`, which the providers' clients
        read first, is exact.
        """
        if self.retry_after_s is None:
            return []
        whole_s, ms = ceil(self.retry_after_s), round(self.retry_after_s * 1000)
        return [(b"retry-after", b"%d" % whole_s), (b"retry-after-ms", b"%d" % ms)]


class BadRequestError(ApiError):
    """A body that no provider, or this one not, can answer."""


class ContextLengthError(ApiError):
    """A prompt and an answer that don't fit the model's context window.

    Attributes:
        window: Tokens that the model holds.
        prompt_tokens: Those of the prompt.
        answer_tokens: Those that the answer may have.
    """

    def __init__(self, *, window: int, prompt_tokens: int, answer_tokens: int) -> None:
        self.window = window
        self.prompt_tokens = prompt_tokens
        self.answer_tokens = answer_tokens
        super().__init__(
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{prompt_tokens + answer_tokens} tokens ({prompt_tokens} in the messages, "
            f"{answer_tokens} in the completion). Please reduce the length of the messages or "
            "completion.",
            param="messages",
            code=CONTEXT_LENGTH,
        )


class MethodNotAllowedError(ApiError):
    """Anything but POST on a route that takes POST."""

    status = 405

    def __init__(self, method: str) -> None:
        super().__init__(f"Not allowed to {method} here: use POST.", code="method_not_allowed")


class BodyTooLargeError(ApiError):
    """A body larger than the service reads."""

    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"The body of your request is larger than {limit_bytes} bytes.",
            code="request_too_large",
        )


class BadFaultError(FakeLlmError):
    """Faults that can't be set; nothing has changed.

    Attributes:
        problems: One line for each bad field, `<where>: <what is wrong>`.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))
