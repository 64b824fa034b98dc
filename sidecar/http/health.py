"""Health and metadata, on Dapr's routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sidecar.components import StateStore
from sidecar.names import AppNames


@dataclass(frozen=True, slots=True)
class Probes:
    """What the routes look at.

    Attributes:
        names: Of the app that is served.
        profile: Label of the profile.
        component: Reads the state store in force.
        workers: Counts the connected app workers.
        active: Counts the workflow instances in memory.
        outbound: Tells whether store and scheduler are reached.
    """

    names: AppNames
    profile: str
    component: Callable[[], StateStore]
    workers: Callable[[], int]
    active: Callable[[], int]
    outbound: Callable[[], Awaitable[bool]]


def routes(probes: Probes) -> list[web.RouteDef]:
    """Return `/v1.0/healthz`, `/v1.0/healthz/outbound` and `/v1.0/metadata`."""

    async def healthz(_request: web.Request) -> web.Response:
        if not probes.workers():
            return _not_ready("ERR_HEALTH_NOT_READY", "no app is connected")
        return await outbound(_request)

    async def outbound(_request: web.Request) -> web.Response:
        if not await probes.outbound():
            return _not_ready(
                "ERR_OUTBOUND_HEALTH_NOT_READY", "state store or scheduler is not reached"
            )
        return web.Response(status=204)

    async def metadata(_request: web.Request) -> web.Response:
        return web.json_response(_metadata(probes))

    return [
        web.get("/v1.0/healthz", healthz),
        web.get("/v1.0/healthz/outbound", outbound),
        web.get("/v1.0/metadata", metadata),
    ]


def _not_ready(code: str, message: str) -> web.Response:
    return web.json_response({"errorCode": code, "message": message}, status=500)


def _metadata(probes: Probes) -> dict[str, object]:
    component = probes.component()
    return {
        "id": probes.names.app_id,
        "namespace": probes.names.namespace,
        "runtimeVersion": f"embedded (profile {probes.profile})",
        "components": [
            {
                "name": component.name,
                "type": component.type,
                "version": "v1",
                "ttlInSeconds": component.ttl_s,
            }
        ],
        "actorRuntime": {
            "activeActors": [{"type": probes.names.workflow_type, "count": probes.active()}]
        },
        "workflows": {"connectedWorkers": probes.workers()},
    }
