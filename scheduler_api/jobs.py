"""Activity jobs: what a listing says of each, read from either version's answer. Pure.

A pending activity is a job `run-activity` of actor type `dapr.internal.<namespace>.<app>.activity`
and actor id `<instance>::<task>::<generation>`. Its data is a HistoryEvent with the TaskScheduled
event: bare up to Dapr 1.16, in field 1 of an ActivityInvocation from 1.18 on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from scheduler_api.proto import scheduler_pb2 as pb

if TYPE_CHECKING:
    from dapr.ext.workflow._durabletask.internal.history_events_pb2 import HistoryEvent

JOB_NAME = "run-activity"
_TYPE_PREFIX = "dapr.internal."
_TYPE_SUFFIX = ".activity"
_ID_SEPARATOR = "::"
_ID_PARTS = 3
_MOST_DIGITS = 10  # of an int32; Python refuses to read thousands of them
_EVENT_FIELD = 1
_LENGTH_DELIMITED = 2


@dataclass(frozen=True, slots=True)
class ActivityJob:
    """One pending activity, in flight or waiting for its next delivery.

    Attributes:
        instance_id: The workflow instance that it works for.
        task_id: Number of the task in the workflow, from 1; a retry has a number of its own.
        generation: 1, higher after continue-as-new.
        activity: Name of the activity; empty where the data could not be read.
        execution_id: Same over redeliveries and over retries; empty where it could not be read.
        actor_type: Type of the actor that the job is for.
        actor_id: Its id; instance, task and generation are its parts.
    """

    instance_id: str
    task_id: int
    generation: int
    activity: str
    execution_id: str
    actor_type: str
    actor_id: str


def activity_type(app_id: str, namespace: str) -> str:
    """Return the actor type of an app's activities."""
    return f"{_TYPE_PREFIX}{namespace}.{app_id}{_TYPE_SUFFIX}"


def list_request(app_id: str, namespace: str) -> pb.ListJobsRequest:
    """Ask for all activities of an app: with an empty id, the one form that every version takes."""
    return pb.ListJobsRequest(
        metadata=_metadata(app_id, namespace, activity_type(app_id, namespace))
    )


def delete_request(job: ActivityJob) -> pb.DeleteJobRequest:
    """Name the job as the scheduler keeps it.

    Its app id must not be empty, and 1.16 lists none; the actor type tells it. An app id may have
    dots, a namespace has none.
    """
    namespace, _, app_id = (
        job.actor_type.removeprefix(_TYPE_PREFIX).removesuffix(_TYPE_SUFFIX).partition(".")
    )
    return pb.DeleteJobRequest(
        name=JOB_NAME, metadata=_metadata(app_id, namespace, job.actor_type, job.actor_id)
    )


def read_jobs(response: pb.ListJobsResponse, app_id: str, namespace: str) -> list[ActivityJob]:
    """Return the activities of a listing; jobs that are none are left out.

    Up to 1.16 a listing matches the type as a prefix as well, so types are compared here.
    """
    found = (_read_job(each, app_id, namespace) for each in response.jobs)
    return [each for each in found if each is not None]


def of_instance(jobs: Iterable[ActivityJob], instance_id: str) -> list[ActivityJob]:
    """Return those that work for exactly this instance."""
    return [each for each in jobs if each.instance_id == instance_id]


def split_actor_id(actor_id: str) -> tuple[str, int, int] | None:
    """Return instance, task and generation: parted at the last two `::`, ids may contain more."""
    parts = actor_id.rsplit(_ID_SEPARATOR, _ID_PARTS - 1)
    if len(parts) != _ID_PARTS or not all(_is_number(each) for each in parts[1:]):
        return None
    return parts[0], int(parts[1]), int(parts[2])


def read_event(data: AnyMessage) -> "HistoryEvent | None":
    """Return the history event of a job's data, bare or wrapped; None where it is neither."""
    # It pulls in the whole SDK, which the scheduler, a user of the stubs alone, does without.
    from dapr.ext.workflow._durabletask.internal.history_events_pb2 import (  # noqa: PLC0415
        HistoryEvent,
    )

    wrapped = data.type_url.rpartition("/")[2].endswith("ActivityInvocation")
    try:
        value = _first_field(data.value) if wrapped else data.value
        return None if value is None else HistoryEvent.FromString(value)
    except DecodeError:
        return None


def _read_job(job: pb.NamedJob, app_id: str, namespace: str) -> ActivityJob | None:
    actor = job.metadata.target.actor
    parts = split_actor_id(actor.id)
    if job.name != JOB_NAME or actor.type != activity_type(app_id, namespace) or parts is None:
        return None
    event = read_event(job.job.data)
    task = None if event is None else event.taskScheduled
    return ActivityJob(
        instance_id=parts[0],
        task_id=parts[1],
        generation=parts[2],
        activity=task.name if task else "",
        execution_id=task.taskExecutionId if task else "",
        actor_type=actor.type,
        actor_id=actor.id,
    )


def _first_field(value: bytes) -> bytes | None:
    """Return field 1 of a message whose type is not at hand."""
    fields = UnknownFieldSet(Empty.FromString(value))
    for index in range(len(fields)):
        each = fields[index]
        if each.field_number == _EVENT_FIELD and each.wire_type == _LENGTH_DELIMITED:
            data: bytes = each.data
            return data
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def _metadata(app_id: str, namespace: str, actor_type: str, actor_id: str = "") -> pb.JobMetadata:
    target = pb.JobTargetMetadata(actor=pb.TargetActorReminder(type=actor_type, id=actor_id))
    return pb.JobMetadata(app_id=app_id, namespace=namespace, target=target)
