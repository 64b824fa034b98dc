"""What can be tried against a runaway: reminders over the sidecar, jobs over the scheduler."""

from contextlib import closing
from typing import Any

import grpc
import httpx
from dapr.proto.runtime.v1 import actors_pb2
from google.protobuf.empty_pb2 import Empty

from scheduler_api import SchedulerClient
from scheduler_api.proto import scheduler_pb2 as pb
from scheduler_api.proto.scheduler_pb2_grpc import SchedulerStub
from tests.conformance.bench import Bench
from tests.conformance.scenarios.calls import tried

JOB = "run-activity"
_TIMEOUT_S = 10.0
_POSTPONED = "240h"


def actor_id(instance: str) -> str:
    """Return the actor of the first activity of an instance's first generation."""
    return f"{instance}::1::1"


def reminder(bench: Bench, method: str, instance: str) -> list[Any]:
    """Ask the sidecar's HTTP API for an activity's reminder."""
    path = f"/v1.0/actors/{bench.activity_type}/{actor_id(instance)}/reminders/{JOB}"
    return over_http(bench, method, path)


def over_http(bench: Bench, method: str, path: str) -> list[Any]:
    """Return the status, and the error code or the name of the activity that was answered."""
    answer = httpx.request(method, f"{bench.http_url}{path}", timeout=_TIMEOUT_S)
    told = answer.json() if answer.content else {}
    activity = told.get("data", {}).get("taskScheduled", {}).get("name")
    return [answer.status_code, told.get("errorCode", activity)]


def unregister(bench: Bench, instance: str) -> Any:
    """Delete an activity's reminder over the sidecar's gRPC."""
    request = actors_pb2.UnregisterActorReminderRequest(
        actor_type=bench.activity_type, actor_id=actor_id(instance), name=JOB
    )
    with grpc.insecure_channel(f"127.0.0.1:{bench.app_port}") as channel:
        call = channel.unary_unary(
            "/dapr.proto.runtime.v1.Dapr/UnregisterActorReminder",
            request_serializer=actors_pb2.UnregisterActorReminderRequest.SerializeToString,
            response_deserializer=Empty.FromString,
        )
        return _told(tried(call, request, timeout=_TIMEOUT_S))


def at_scheduler(bench: Bench, method: str, request: Any) -> Any:
    """Call the scheduler; return "OK", or code and text of the refusal."""
    return _told(answered(bench, method, request))


def answered(bench: Bench, method: str, request: Any) -> Any:
    """Call the scheduler; return its answer or its refusal."""
    with grpc.insecure_channel(bench.scheduler_address) as channel:
        stub: Any = SchedulerStub(channel)  # type: ignore[no-untyped-call]  # generated
        return tried(getattr(stub, method), request, timeout=_TIMEOUT_S)


def metadata(bench: Bench, actor: str, kind: str | None = None) -> pb.JobMetadata:
    """Return what a job is found by; an empty actor is any."""
    target = pb.TargetActorReminder(id=actor, type=bench.activity_type if kind is None else kind)
    return pb.JobMetadata(
        app_id=bench.app_id,
        namespace=bench.namespace,
        target=pb.JobTargetMetadata(actor=target),
    )


def delete_job(bench: Bench, instance: str) -> Any:
    """Delete an activity's job."""
    request = pb.DeleteJobRequest(name=JOB, metadata=metadata(bench, actor_id(instance)))
    return at_scheduler(bench, "DeleteJob", request)


def postpone(bench: Bench, instance: str) -> Any:
    """Schedule an activity's job anew, for a day far away."""
    listed = answered(bench, "ListJobs", pb.ListJobsRequest(metadata=metadata(bench, "")))
    job = next(each.job for each in listed.jobs if actor_id(instance) == _actor(each))
    job.due_time = _POSTPONED
    request = pb.ScheduleJobRequest(
        name=JOB, job=job, metadata=metadata(bench, actor_id(instance)), overwrite=True
    )
    return at_scheduler(bench, "ScheduleJob", request)


def listing(bench: Bench, prefix: str) -> dict[str, bool]:
    """Return what a listing finds by a prefix of the id, by any id, by any type."""
    found = {
        "id by prefix": metadata(bench, prefix),
        "any id": metadata(bench, ""),
        "any type": metadata(bench, "", ""),
    }
    jobs = {
        name: answered(bench, "ListJobs", pb.ListJobsRequest(metadata=each)).jobs
        for name, each in found.items()
    }
    names = any(each.metadata.app_id for each in jobs["any id"])
    return {**{name: bool(each) for name, each in jobs.items()}, "names the app": names}


def is_listed(bench: Bench, instance: str) -> bool:
    """Tell whether the scheduler still has an activity of an instance."""
    with closing(SchedulerClient(bench.scheduler_address)) as client:
        jobs = client.list_activity_jobs(bench.app_id, bench.namespace)
    return any(each.instance_id == instance for each in jobs)


def _actor(job: pb.NamedJob) -> str:
    return str(job.metadata.target.actor.id)


def _told(answer: Any) -> Any:
    if isinstance(answer, grpc.RpcError):
        return {"code": answer.code().name, "details": answer.details()}
    return "OK"
