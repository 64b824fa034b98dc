"""Dapr's workflow API: `/v1.0/workflows/<component>/…`.

Bodies and the 404 are as documented or recorded; the other texts are from Dapr's source, not
recorded. As there, the component's name is not looked at, and nothing waits for a turn.
"""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from google.protobuf.wrappers_pb2 import StringValue

from sidecar.engine.calls import WorkflowCalls, new_id
from sidecar.errors import InstanceActiveError, SidecarError, is_missing
from sidecar.http.errors import not_found, refused
from sidecar.http.workflow_state import told
from sidecar.profiles import Profile
from sidecar.protos import service_pb2 as pb

_PREFIXES = ("/v1.0", "/v1.0-beta1", "/v1.0-alpha1")
_LONGEST_ID_BYTES = 64


class WorkflowRoutes:
    """The handlers of one sidecar.

    Args:
        calls: Carry out what is asked.
        profile: Has the words of refusals.
    """

    def __init__(self, calls: WorkflowCalls, profile: Profile) -> None:
        self._calls = calls
        self._profile = profile
        self._noun = profile.workflow_noun

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, under each prefix that Dapr still serves."""
        found: list[web.RouteDef] = []
        for prefix in _PREFIXES:
            instance = f"{prefix}/workflows/{{component}}/{{instance}}"
            found += [
                web.post(f"{prefix}/workflows/{{component}}/{{name}}/start", self.start),
                web.get(instance, _with_json(self.get)),
                web.post(f"{instance}/raiseEvent/{{event}}", self.raise_event),
                web.post(f"{instance}/terminate", _with_json(self.terminate)),
                web.post(f"{instance}/pause", _with_json(self.pause)),
                web.post(f"{instance}/resume", _with_json(self.resume)),
                web.post(f"{instance}/purge", _with_json(self.purge)),
            ]
        return found

    async def start(self, request: web.Request) -> web.Response:
        """Start an instance; the body is the input as it is, an empty one too."""
        name = request.match_info["name"]
        instance_id = request.query.get("instanceID") or new_id()
        if (refusal := _bad_id(instance_id)) is not None:
            return refusal
        body = StringValue(value=await _text(request))
        asked = pb.CreateInstanceRequest(name=name, instanceId=instance_id, input=body)
        try:
            await self._calls.start(asked)
        except SidecarError as error:
            prefix = f"unable to start workflow: failed to start {self._noun}: "
            text = f"error starting workflow '{name}': {prefix}{self._reason(error)}"
            return refused(500, "ERR_START_WORKFLOW", text)
        return web.json_response({"instanceID": instance_id}, status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Tell what the store knows of an instance."""
        instance_id = request.match_info["instance"]
        try:
            state = await self._calls.stored(instance_id)
        except SidecarError as error:
            cause = f"failed to fetch {self._noun} metadata: {error}"
            text = (
                f"error while getting workflow info on instance '{instance_id}': "
                f"failed to get workflow metadata for '{instance_id}': {cause}"
            )
            return refused(500, "ERR_GET_WORKFLOW", text)
        if state is None:
            return not_found(instance_id)
        with_trace = self._profile.stack_trace_told
        return web.json_response(told(instance_id, state, with_stack_trace=with_trace))

    async def raise_event(self, request: web.Request) -> web.Response:
        """Give an instance an event; the body is its data as it is."""
        instance_id, name = request.match_info["instance"], request.match_info["event"]
        data = StringValue(value=await _text(request))
        try:
            await self._calls.raise_event(instance_id, name, data)
        except SidecarError as error:
            text = (
                f"error raising event on workflow '{instance_id}': failed to raise event {name} "
                f"on workflow {instance_id}: failed to raise event: {error}"
            )
            return refused(500, "ERR_RAISE_EVENT_WORKFLOW", text)
        return _accepted()

    async def terminate(self, request: web.Request) -> web.Response:
        """End an instance and its descendants."""
        instance_id = request.match_info["instance"]
        try:
            await self._calls.terminate(instance_id, None, recursive=True)
        except SidecarError as error:
            if is_missing(error):
                return not_found(instance_id)
            text = (
                f"error terminating workflow '{instance_id}': failed to terminate workflow "
                f"{instance_id}: failed to submit termination request:: {error}"
            )
            return refused(500, "ERR_TERMINATE_WORKFLOW", text)
        return _accepted()

    async def pause(self, request: web.Request) -> web.Response:
        """Pause an instance."""
        instance_id = request.match_info["instance"]
        try:
            await self._calls.suspend(instance_id)
        except SidecarError as error:
            text = (
                f"error pausing workflow {instance_id}: failed to pause workflow {instance_id}: "
                f"failed to suspend {self._noun}: {error}"
            )
            return refused(500, "ERR_PAUSE_WORKFLOW", text)
        return _accepted()

    async def resume(self, request: web.Request) -> web.Response:
        """Have a paused instance go on."""
        instance_id = request.match_info["instance"]
        try:
            await self._calls.resume(instance_id)
        except SidecarError as error:
            text = (
                f"error resuming workflow {instance_id}: failed to resume workflow {instance_id}: "
                f"failed to resume {self._noun}: {error}"
            )
            return refused(500, "ERR_RESUME_WORKFLOW", text)
        return _accepted()

    async def purge(self, request: web.Request) -> web.Response:
        """Delete an instance that has ended, and its descendants."""
        instance_id = request.match_info["instance"]
        try:
            await self._calls.purge(instance_id, recursive=True, force=False)
        except SidecarError as error:
            if is_missing(error):
                return not_found(instance_id)
            text = (
                f"error purging workflow {instance_id}: failed to Purge workflow {instance_id}: "
                f"failed to purge {self._noun} state: {error}"
            )
            return refused(500, "ERR_PURGE_WORKFLOW", text)
        return _accepted()

    def _reason(self, error: SidecarError) -> str:
        """Return why a start was refused; an active id has its code in the text on newer Dapr."""
        if isinstance(error, InstanceActiveError):
            coded = self._profile.duplicate_start_text.removeprefix(
                self._profile.start_refusal_prefix
            )
            return coded.format(instance_id=error.instance_id)
        return str(error)


_Handler = Callable[[web.Request], Awaitable[web.Response]]


def _with_json(handler: _Handler) -> _Handler:
    """Refuse a body that is no JSON object, as Dapr does; what is in it counts for nothing."""

    async def checked(request: web.Request) -> web.Response:
        if (body := await request.read()) and (problem := _json_problem(body)):
            text = f"failed deserializing HTTP body: {problem}"
            return refused(400, "ERR_MALFORMED_REQUEST", text)
        return await handler(request)

    return checked


def _json_problem(body: bytes) -> str:
    try:
        return "" if isinstance(json.loads(body), dict) else "not a JSON object"
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "nested too deeply"


def _bad_id(instance_id: str) -> web.Response | None:
    if len(instance_id.encode()) > _LONGEST_ID_BYTES:
        text = f"workflow instance ID exceeds the max length of {_LONGEST_ID_BYTES} characters"
        return refused(400, "ERR_INSTANCE_ID_TOO_LONG", text)
    if not all(each.isalpha() or each.isdecimal() or each in "_-" for each in instance_id):
        text = (
            f"workflow instance ID '{instance_id}' is invalid: "
            "only alphanumeric and underscore characters are allowed"
        )
        return refused(400, "ERR_INSTANCE_ID_INVALID", text)
    return None


async def _text(request: web.Request) -> str:
    # A protobuf string holds no bytes that are not UTF-8.
    return (await request.read()).decode(errors="replace")


def _accepted() -> web.Response:
    return web.json_response({}, status=202)
