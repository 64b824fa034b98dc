"""Health and metadata, on Dapr's routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from sidecar.components.state_store import StateStore
from sidecar.http.errors import refused
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
            return refused(500, "ERR_HEALTH_NOT_READY", "no app is connected")
        return await outbound(_request)

    async def outbound(_request: web.Request) -> web.Response:
        if not await probes.outbound():
            text = "state store or scheduler is not reached"
            return refused(500, "ERR_OUTBOUND_HEALTH_NOT_READY", text)
        return web.Response(status=204)

    async def metadata(_request: web.Request) -> web.Response:
        return web.json_response(_metadata(probes))

    return [
        web.get("/v1.0/healthz", healthz),
        web.get("/v1.0/healthz/outbound", outbound),
        web.get("/v1.0/metadata", metadata),
    ]


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
