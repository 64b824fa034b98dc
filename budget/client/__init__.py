"""The budget without a gateway: an httpx transport that reserves, sends and settles by itself.

`http_client(Budget(…))` goes to `openai.OpenAI(http_client=…)` or `anthropic.Anthropic(…)`.
"""

from typing import TYPE_CHECKING, Any

from budget.client.activities import activity
from budget.client.clients import async_http_client, http_client
from budget.client.options import Budget
from budget.client.transport import AsyncBudgetTransport, BudgetTransport

if TYPE_CHECKING:
    from budget.client.errors import NonRetryableError, non_retryable, raise_for_budget

__all__ = [
    "AsyncBudgetTransport",
    "Budget",
    "BudgetTransport",
    "NonRetryableError",
    "activity",
    "async_http_client",
    "http_client",
    "non_retryable",
    "raise_for_budget",
]

_OF_ERRORS = frozenset({"NonRetryableError", "non_retryable", "raise_for_budget"})


def __getattr__(name: str) -> Any:
    """Import what needs the Dapr SDK only when it is asked for."""
    if name not in _OF_ERRORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from budget.client import errors  # noqa: PLC0415  # see above

    return getattr(errors, name)
