"""HTTP clients with a budget, ready for a provider's SDK."""

from typing import TYPE_CHECKING, Any

from budget.client.libraries import newest
from budget.client.options import Budget
from budget.client.transport import AsyncBudgetTransport, BudgetTransport

if TYPE_CHECKING:
    import httpx2


def http_client(budget: Budget, *, transport: Any = None, **options: Any) -> "httpx2.Client":
    """Return a blocking client: `openai.OpenAI(http_client=…)`, `anthropic.Anthropic(…)`.

    It is one of httpx2, which today's SDKs take, or of httpx where httpx2 is not installed. Proxies
    of the environment are not used; give a transport that does.

    Args:
        budget: What it enforces.
        transport: What sends; a plain one unless told.
        options: Of the library's Client.
    """
    client: httpx2.Client = newest().Client(
        transport=BudgetTransport(budget, transport), follow_redirects=True, **options
    )
    return client


def async_http_client(
    budget: Budget, *, transport: Any = None, **options: Any
) -> "httpx2.AsyncClient":
    """Return an asynchronous client; the arguments are the same."""
    client: httpx2.AsyncClient = newest().AsyncClient(
        transport=AsyncBudgetTransport(budget, transport), follow_redirects=True, **options
    )
    return client
