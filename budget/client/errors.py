"""A refusal for good, as an error that a workflow's retry policy does not retry.

The Dapr SDK exempts an error from its RetryPolicy by the class name `NonRetryableError` and by
nothing else; it has such a class of its own, in a private module, from which this one derives where
the SDK is installed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    _Base = Exception
else:
    try:
        from dapr.ext.workflow._durabletask.task import NonRetryableError as _Base
    except ImportError:
        try:
            from durabletask.task import NonRetryableError as _Base
        except ImportError:
            _Base = Exception

_SHOWN_CHARACTERS: Final = 500


class NonRetryableError(_Base):
    """A call that another attempt can't make.

    Attributes:
        status: HTTP status of the answer.
        code: Its `error.code`, such as `budget_exceeded`; None when it has none.
        budget: Its `error.budget`: scope, window, limit and what is spent; empty without one.
    """

    def __init__(self, message: str, status: int, code: str | None, budget: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.budget = budget


def raise_for_budget(error: BaseException) -> None:
    """Raise NonRetryableError when a provider SDK's error is a refusal for good.

    That is a 402, and every other 4xx with `x-should-retry: false`. What may pass (429, 503) and
    what is no answer at all is left to the caller, who raises it again.
    """
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if response is None or status is None or not _is_final(status, response.headers):
        return
    details = _details(response)
    code = details.get("code")
    message = str(details.get("message") or error)
    budget = details.get("budget")
    raise NonRetryableError(
        f"{status} {code or 'refused'}: {message[:_SHOWN_CHARACTERS]}",
        status,
        code if isinstance(code, str) else None,
        budget if isinstance(budget, dict) else {},
    ) from error


@contextmanager
def non_retryable() -> Iterator[None]:
    """Turn refusals for good that leave the block into NonRetryableError."""
    try:
        yield
    except Exception as error:
        raise_for_budget(error)
        raise


def _is_final(status: int, headers: Any) -> bool:
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return True
    is_callers = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return is_callers and headers.get("x-should-retry") == "false"


def _details(response: Any) -> dict[str, Any]:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError, RuntimeError):
        # RuntimeError: a streamed answer that was not read.
        return {}
    return error if isinstance(error, dict) else {}
