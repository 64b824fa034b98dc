"""The provider's own books: what it carried out, and what it charged for it."""

from typing import Any, Final

from aiohttp import web

from metering.prices import PriceBook
from metering.usage import Usage

PRICES: Final = PriceBook()
CALLS: Final = web.AppKey("calls", list[dict[str, Any]])


def behaviour(text: str | None) -> dict[str, str]:
    """Read how to behave: `<behaviour>:<argument>`, several joined by `;`."""
    return dict(part.partition(":")[::2] for part in (text or "").split(";"))


def begin(request: web.Request, body: dict[str, Any], usage: Usage) -> dict[str, Any]:
    """Charge for a call and note it."""
    price = PRICES.unit_price(body["model"], has_output=usage.output_tokens > 0)
    call = {
        "nano_usd": price.cost(usage),
        "path": request.path,
        "body": body,
        "headers": dict(request.headers),
        "ended": False,
    }
    request.app[CALLS].append(call)
    return call


async def calls(request: web.Request) -> web.Response:
    """List the calls of one application; of none in particular, those that named none."""
    app = request.query["app"]
    found = [c for c in request.app[CALLS] if c["headers"].get("X-Workflow-App", "") == app]
    return web.json_response({"calls": found, "nano_usd": sum(c["nano_usd"] for c in found)})
