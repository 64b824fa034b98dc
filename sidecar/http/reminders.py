"""Dapr's actor reminder API, for the reminders of workflows: read one, delete one.

Recorded on 1.16.1 (204, 200 and both refusals); other failures are from Dapr's source.
"""

from base64 import b64encode
from typing import Any

from aiohttp import web
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.errors import ReminderRefusedError, SidecarError
from sidecar.http.errors import refused
from sidecar.reminders.actor_api import Reminders

_ROUTE = "/v1.0/actors/{type}/{actor}/reminders/{name}"


def routes(reminders: Reminders) -> list[web.RouteDef]:
    """Return the two routes."""

    async def delete(request: web.Request) -> web.Response:
        try:
            await reminders.delete(*_key(request))
        except ReminderRefusedError as error:
            return refused(403, error.error_code, str(error))
        except SidecarError as error:
            text = f"error deleting actor reminder: {error}"
            return refused(500, "ERR_ACTOR_REMINDER_DELETE", text)
        return web.Response(status=204)

    async def get(request: web.Request) -> web.Response:
        try:
            job = await reminders.get(*_key(request))
        except ReminderRefusedError as error:
            return refused(403, error.error_code, str(error))
        except SidecarError as error:
            text = f"error getting actor reminder: {error}"
            return refused(500, "ERR_ACTOR_REMINDER_GET", text)
        return web.json_response({} if job is None else _told(request, job))

    return [web.delete(_ROUTE, delete), web.get(_ROUTE, get)]


def _key(request: web.Request) -> tuple[str, str, str]:
    found = request.match_info
    return found["type"], found["actor"], found["name"]


def _told(request: web.Request, job: pb.Job) -> dict[str, Any]:
    actor_type, actor_id, _ = _key(request)
    told: dict[str, Any] = {}
    if job.data.value:
        told["data"] = _data(job.data)
    return {**told, "actorID": actor_id, "actorType": actor_type, "dueTime": job.due_time}


def _data(data: AnyMessage) -> dict[str, Any]:
    """Return a message as JSON; of a type that is not at hand, the type and the bytes."""
    name = data.type_url.rpartition("/")[2]
    try:
        described = descriptor_pool.Default().FindMessageTypeByName(name)
        kind = message_factory.GetMessageClass(described)
        found: dict[str, Any] = MessageToDict(kind.FromString(data.value))
    except (KeyError, DecodeError):
        return {"@type": data.type_url, "value": b64encode(data.value).decode()}
    return found
