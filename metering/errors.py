"""Everything metering refuses.

MeteringError
├── MoneyError                 an amount that is no exact number of nano-dollars
├── UsageError                 token counts that can't be true, or that can't be priced
├── PriceFileError             the operator's price file: every bad field is named
├── UnpricedModelError         no price for a model: refuse or flag, never call it free
├── UncountableContentError    a prompt whose tokens its text does not bound (images, audio, files)
├── RequestError               a client's request body; carries what an error body needs
│   └── ChatRequestError       that of a chat completion
└── SseError                   a server-sent event larger than the parser may hold
"""

from pathlib import Path


class MeteringError(Exception):
    """Base of every error of this package."""


class MoneyError(MeteringError, ValueError):
    """An amount that is no exact number of nano-dollars."""


class UsageError(MeteringError, ValueError):
    """Token counts that can't be true, or that this package can't price."""


class PriceFileError(MeteringError, ValueError):
    """A price file that can't be used.

    Attributes:
        path: The file.
        problems: One line for each bad field, `<field>: <what is wrong and what to write>`.
    """

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        super().__init__(f"price file {path}: " + "; ".join(problems))


class UnpricedModelError(MeteringError, LookupError):
    """A model without a price that this package can apply exactly.

    Attributes:
        model: The model as the caller named it.
        reason: Why there is no price.
    """

    def __init__(self, model: str, reason: str) -> None:
        self.model = model
        self.reason = reason
        super().__init__(f"no price for model {model!r}: {reason}; add it to the price file")


class UncountableContentError(MeteringError, ValueError):
    """A prompt part whose tokens are not bounded by its bytes."""


class RequestError(MeteringError, ValueError):
    """A request body that a provider would refuse with status 400.

    Attributes:
        message: Names every bad field.
        param: The first bad field, or None.
        code: OpenAI's `error.code`, or None.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        self.message = message
        self.param = param
        self.code = code
        super().__init__(message)


class ChatRequestError(RequestError):
    """The body of a chat completion that a provider would refuse."""


class SseError(MeteringError, ValueError):
    """A server-sent event that is larger than the parser may hold."""
