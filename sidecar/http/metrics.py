"""Metrics, on Prometheus's usual route; Dapr serves them on a port of their own, 9090."""

from collections.abc import Callable

from aiohttp import web

from sidecar.exposition import CONTENT_TYPE


def routes(text: Callable[[], str]) -> list[web.RouteDef]:
    """Return `/metrics`."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=text().encode(), headers={"content-type": CONTENT_TYPE})

    return [web.get("/metrics", metrics)]
