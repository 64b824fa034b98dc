"""The HTTP routes: parse, hand over to the service, answer."""

from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Query, Request, Response, status
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BeforeValidator, JsonValue

from workflow_app.ids import EventName, InstanceId
from workflow_app.inputs import (
    INPUT_OF_WORKFLOW,
    HelloInput,
    HelloRequest,
    StartRequest,
    check_json,
)
from workflow_app.service import Service

MAX_PAGE: Final = 10_000

router = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


App = Annotated[Service, Depends(_service)]
After = Annotated[int, Query(ge=0)]
Payload = Annotated[JsonValue, BeforeValidator(check_json), Body()]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@router.get("/")
def index() -> dict[str, Any]:
    """Say what this is and where to go on."""
    return {
        "name": "workflow_app",
        "version": version("runaway"),
        "workflows": {
            name: model.model_json_schema()["properties"] if model.model_fields else {}
            for name, model in INPUT_OF_WORKFLOW.items()
        },
        "endpoints": {
            "health": "/health",
            "start_hello": "/workflow/hello",
            "workflows": "/workflows",
            "executions": "/executions",
            "metrics": "/metrics",
            "docs": "/docs",
        },
    }


@router.get("/health")
async def health(app: App) -> dict[str, str]:
    """Answer 200 as long as the app lives; the body says whether the sidecar is there."""
    return app.health()


@router.post("/workflow/hello")
async def start_hello(app: App, body: HelloRequest | None = None) -> dict[str, str]:
    """Start `hello`, in the shape of the incident's public reproduction."""
    wanted = body.instance_id if body else None
    instance_id = await app.start("hello", instance_id=wanted, given=HelloInput().model_dump())
    return {
        "instance_id": instance_id,
        "status": "started",
        "message": "Hello workflow started successfully",
    }


@router.post("/workflows", status_code=status.HTTP_202_ACCEPTED)
async def start_workflow(app: App, body: StartRequest) -> dict[str, str]:
    """Start a workflow."""
    instance_id = await app.start(body.name, instance_id=body.id, given=body.workflow_input())
    return {"instance_id": instance_id, "name": body.name}


@router.get("/workflows")
async def workflows(app: App, after: After = 0, limit: Limit = 1000) -> dict[str, Any]:
    """Return the instances that changed after the cursor."""
    return app.instances.read(after, limit).as_json("workflows")


@router.get("/workflows/{instance_id}")
async def workflow(app: App, instance_id: InstanceId) -> dict[str, Any]:
    """Return what the engine says of one instance beside what this process saw."""
    return await app.describe(instance_id)


@router.post("/workflows/{instance_id}/terminate", status_code=status.HTTP_202_ACCEPTED)
async def terminate(app: App, instance_id: InstanceId) -> dict[str, str]:
    """Ask the engine to terminate a workflow; an activity in flight runs to its end."""
    await app.terminate(instance_id)
    return {"instance_id": instance_id, "status": "terminating"}


@router.post("/workflows/{instance_id}/suspend", status_code=status.HTTP_202_ACCEPTED)
async def suspend(app: App, instance_id: InstanceId) -> dict[str, str]:
    """Suspend a running workflow; an activity in flight runs to its end.

    What is suspended is refused. Only this process is seen: that another client, such as Dapr's
    command line, suspends it in the same moment can't be known.
    """
    done = await app.suspend(instance_id)
    return {"instance_id": instance_id, "status": "suspended" if done else "suspending"}


@router.post("/workflows/{instance_id}/resume", status_code=status.HTTP_202_ACCEPTED)
async def resume(app: App, instance_id: InstanceId) -> dict[str, str]:
    """Resume a suspended workflow; what is not suspended is refused."""
    done = await app.resume(instance_id)
    return {"instance_id": instance_id, "status": "resumed" if done else "resuming"}


@router.post("/workflows/{instance_id}/events/{name}", status_code=status.HTTP_202_ACCEPTED)
async def raise_event(
    app: App, instance_id: InstanceId, name: EventName, payload: Payload = None
) -> dict[str, str]:
    """Give a workflow an event; the JSON body is its payload. It is kept until it is waited for."""
    await app.raise_event(instance_id, name, payload)
    return {"instance_id": instance_id, "event": name, "status": "raised"}


@router.post("/workflows/{instance_id}/purge")
async def purge(app: App, instance_id: InstanceId) -> dict[str, str]:
    """Delete the state of a workflow that has ended."""
    await app.purge(instance_id)
    return {"instance_id": instance_id, "status": "purged"}


@router.get("/executions")
async def executions(app: App, after: After = 0, limit: Limit = 1000) -> dict[str, Any]:
    """Return the executions of activities that ended after the cursor."""
    return app.executions.read(after, limit).as_json("executions")


@router.get("/metrics")
async def metrics(app: App) -> Response:
    """Return the Prometheus metrics."""
    return Response(app.metrics.text(), media_type=CONTENT_TYPE_LATEST)
