"""Puts the groups of routes together."""

from dataclasses import dataclass

from aiohttp import web

from sidecar.engine.calls import WorkflowCalls
from sidecar.http import health, reminders
from sidecar.http.health import Probes
from sidecar.http.workflows import WorkflowRoutes
from sidecar.profiles import Profile
from sidecar.reminders.actor_api import Reminders

# Dapr's default for `--dapr-http-max-request-size`.
_LONGEST_BODY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Served:
    """What the routes are about."""

    probes: Probes
    calls: WorkflowCalls
    reminders: Reminders
    profile: Profile


def http_app(served: Served) -> web.Application:
    """Return the application."""
    app = web.Application(client_max_size=_LONGEST_BODY_BYTES)
    app.add_routes(health.routes(served.probes))
    app.add_routes(WorkflowRoutes(served.calls, served.profile).routes())
    app.add_routes(reminders.routes(served.reminders))
    return app
