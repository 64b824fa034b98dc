"""Shows instances and their jobs, on routes of the embedded sidecar's own; Dapr has none."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.engine.inspection import Asked, Inspection
from sidecar.errors import SchedulerError
from sidecar.faults.errors import every_problem
from sidecar.http.guard import local_only, problem

ListJobs = Callable[[], Awaitable[list[pb.NamedJob]]]
_Text = Annotated[str, Field(max_length=1000)]


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: _Text = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class _Page(_Filter):
    after: _Text = ""


def routes(inspection: Inspection, list_jobs: ListJobs) -> list[web.RouteDef]:
    """Return `/admin/instances` and `/admin/jobs`."""

    async def instances(request: web.Request) -> web.Response:
        try:
            asked = _Page.model_validate(dict(request.query))
        except ValidationError as error:
            return _bad_query(error)
        page = await inspection.page(Asked(asked.prefix, asked.after, asked.limit))
        return web.json_response(page)

    async def jobs(request: web.Request) -> web.Response:
        try:
            asked = _Filter.model_validate(dict(request.query))
            listed = [_shown(each) for each in await list_jobs()]
        except ValidationError as error:
            return _bad_query(error)
        except SchedulerError as error:
            return problem(503, "scheduler_unreachable", str(error))
        found = [each for each in listed if each["actor_id"].startswith(asked.prefix)]
        shown = found[: asked.limit]
        return web.json_response({"jobs": shown, "total": len(found)})

    return [
        web.get("/admin/instances", local_only(instances)),
        web.get("/admin/jobs", local_only(jobs)),
    ]


def _bad_query(error: ValidationError) -> web.Response:
    return problem(400, "bad_query", every_problem(error))


def _shown(listed: pb.NamedJob) -> dict[str, Any]:
    actor = listed.metadata.target.actor
    return {
        "actor_type": actor.type,
        "actor_id": actor.id,
        "name": listed.name,
        "due_time": listed.job.due_time,
        "data_type": listed.job.data.type_url,
        "data_bytes": len(listed.job.data.value),
    }
