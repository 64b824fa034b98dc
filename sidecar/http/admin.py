"""Sets, lifts and shows faults, on routes of the embedded sidecar's own; Dapr has none."""

import json
from typing import Any

from aiohttp import web

from sidecar.faults import KINDS, Faults, Setting
from sidecar.faults.errors import BadFaultError, UnknownFaultError
from sidecar.http.guard import local_only, problem

_MOST_BODY_BYTES = 10_000


def routes(faults: Faults) -> list[web.RouteDef]:
    """Return `/admin/faults` and `/admin/faults/{kind}`."""

    async def listed(_request: web.Request) -> web.Response:
        shown = [_shown(kind, faults.settings.get(kind)) for kind in KINDS]
        return web.json_response({"faults": shown, "streams": faults.streams})

    async def set_fault(request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        try:
            return web.json_response(_shown(kind, faults.set(kind, await _attributes(request))))
        except UnknownFaultError as error:
            return problem(404, "unknown_fault", str(error))
        except BadFaultError as error:
            return problem(422, "invalid_fault", f"{kind}: {error}")

    async def lift(request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        try:
            lifted = faults.lift(kind)
        except UnknownFaultError as error:
            return problem(404, "unknown_fault", str(error))
        return web.json_response({"lifted": int(lifted)})

    async def lift_all(_request: web.Request) -> web.Response:
        return web.json_response({"lifted": faults.lift_all()})

    return [
        web.get("/admin/faults", local_only(listed)),
        web.delete("/admin/faults", local_only(lift_all)),
        web.post("/admin/faults/{kind}", local_only(set_fault)),
        web.delete("/admin/faults/{kind}", local_only(lift)),
    ]


async def _attributes(request: web.Request) -> Any:
    """Return a fault's attributes; none where there is no body."""
    body = await request.read()
    if not body:
        return {}
    if request.content_type != "application/json":
        raise BadFaultError("attributes are read only with content-type: application/json")
    if len(body) > _MOST_BODY_BYTES:
        raise BadFaultError(f"attributes must not take more than {_MOST_BODY_BYTES} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise BadFaultError(f"no JSON: {error}") from None
    except RecursionError:
        raise BadFaultError("no JSON: nested too deeply") from None


def _shown(kind: str, setting: Setting | None) -> dict[str, object]:
    if setting is None:
        return {"kind": kind, "active": False}
    return {
        "kind": kind,
        "active": setting.effect.lasts,
        "attributes": setting.fault.model_dump(exclude_none=True),
        "hits": setting.effect.hits,
        "set_unix_ms": setting.set_unix_ms,
        "lifts_unix_ms": setting.lifts_unix_ms,
    }
