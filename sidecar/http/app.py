"""Puts the groups of routes together."""

from aiohttp import web

from sidecar.http import health
from sidecar.http.health import Probes


def http_app(probes: Probes) -> web.Application:
    """Return the application."""
    app = web.Application()
    app.add_routes(health.routes(probes))
    return app
