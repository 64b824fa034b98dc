"""Keeps the admin routes for this machine: no other host, and no page in a browser, gets through.

A browser on this machine is a loopback peer too, so a page of any site could set a fault. It can't
send JSON across sites without asking first, which is never granted; it names its origin; and a name
that it has rebound to 127.0.0.1 stands in `Host`.
"""

import ipaddress
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_OWN_SITE = ("same-origin", "none")


def local_only(handler: Handler) -> Handler:
    """Return the handler, but 403 for whoever is not on this machine or comes from a web page."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        reason = refusal(request)
        if reason is not None:
            return problem(403, "local_only", reason)
        return await handler(request)

    return guarded


def refusal(request: web.Request) -> str | None:
    """Return why a request is refused; None where it is not."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if not peer or not _is_loopback(peer[0]):
        return "admin routes answer on loopback alone: call them from this machine"
    host = _named_host(request)
    if not _is_loopback(host):
        return f"the host {host!r} is no loopback address: use 127.0.0.1"
    if request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITE:
        return "a page of another site may not call admin routes"
    if request.headers.get("Origin", _origin(request)) != _origin(request):
        return "a page of another origin may not call admin routes"
    return None


def problem(status: int, code: str, message: str) -> web.Response:
    """Return a refusal."""
    error = {"message": message, "type": "admin_error", "code": code}
    return web.json_response({"error": error}, status=status)


def _origin(request: web.Request) -> str:
    return f"http://{request.headers.get('Host', '')}"


def _named_host(request: web.Request) -> str:
    try:
        return request.url.host or ""
    except ValueError:
        # Such as a port that there can't be.
        return request.host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
