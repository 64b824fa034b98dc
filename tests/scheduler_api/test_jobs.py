"""Reading activity jobs from either version's listing."""

import pytest
from dapr.ext.workflow._durabletask.internal.history_events_pb2 import HistoryEvent
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st

from scheduler_api.jobs import (
    ActivityJob,
    activity_type,
    delete_request,
    of_instance,
    read_event,
    read_jobs,
    split_actor_id,
)
from scheduler_api.proto import scheduler_pb2 as pb

WRAPPED = "type.googleapis.com/durabletask.protos.backend.v1.ActivityInvocation"


def event(length: int = 10) -> HistoryEvent:
    """Return the event that schedules an activity, with an input of that length."""
    made = HistoryEvent(eventId=3)
    made.taskScheduled.name = "think"
    made.taskScheduled.taskExecutionId = "e-1"
    made.taskScheduled.input.value = "x" * length
    return made


def bare(made: HistoryEvent) -> AnyMessage:
    """Return a job's data as 1.16 has it."""
    return AnyMessage(type_url="type.googleapis.com/HistoryEvent", value=made.SerializeToString())


def wrapped(made: HistoryEvent) -> AnyMessage:
    """Return a job's data as 1.18 has it: the event in field 1, with a field 2 beside it."""
    inner, length, prefix = made.SerializeToString(), len(made.SerializeToString()), b"\x0a"
    while length > 127:
        prefix, length = prefix + bytes([length % 128 + 128]), length // 128
    value = b"\x12\x02hi" + prefix + bytes([length]) + inner
    return AnyMessage(type_url=WRAPPED, value=value)


def listed(actor_id: str, data: AnyMessage, **more: str) -> pb.NamedJob:
    """Return one entry of a listing."""
    target = pb.TargetActorReminder(
        id=actor_id, type=more.get("actor_type", activity_type("lab", "default"))
    )
    metadata = pb.JobMetadata(namespace="default", target=pb.JobTargetMetadata(actor=target))
    return pb.NamedJob(
        name=more.get("name", "run-activity"), metadata=metadata, job=pb.Job(data=data)
    )


@pytest.mark.parametrize("form", [bare, wrapped])
@pytest.mark.parametrize("length", [0, 200, 70_000])
def test_both_forms_of_data(form: object, length: int) -> None:
    """The activity and its execution id are read from bare and from wrapped data."""
    assert callable(form)
    response = pb.ListJobsResponse(jobs=[listed("a-1::3::2", form(event(length)))])
    assert read_jobs(response, "lab", "default") == [
        ActivityJob(
            instance_id="a-1",
            task_id=3,
            generation=2,
            activity="think",
            execution_id="e-1",
            actor_type="dapr.internal.default.lab.activity",
            actor_id="a-1::3::2",
        )
    ]


def test_unreadable_data_hides_no_job() -> None:
    """A job whose data can't be read is listed without activity and execution id."""
    for data in (AnyMessage(value=b"\xff\xff"), AnyMessage(type_url=WRAPPED), AnyMessage()):
        jobs = read_jobs(pb.ListJobsResponse(jobs=[listed("a::1::1", data)]), "lab", "default")
        assert [(each.instance_id, each.activity, each.execution_id) for each in jobs] == [
            ("a", "", "")
        ]


def test_other_jobs_are_left_out() -> None:
    """Other names, types (1.16 matches a type's beginning) and ids are no activities."""
    data = bare(event())
    response = pb.ListJobsResponse(
        jobs=[
            listed("a::1::1", data, name="timer-1"),
            listed("a::1::1", data, actor_type="dapr.internal.default.lab.activity2"),
            listed("a", data),
            listed("a::b::c", data),
            listed(f"a::{'1' * 5000}::1", data),
        ]
    )
    assert read_jobs(response, "lab", "default") == []


@given(st.text(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_id_is_parted_at_the_last_two_separators(
    instance: str, task: int, generation: int
) -> None:
    """Whatever an instance id contains, it is found again."""
    parts = split_actor_id(f"{instance}::{task}::{generation}")
    assert parts is not None
    assert parts == (instance, task, generation)


def test_of_instance_is_exact() -> None:
    """An instance whose id begins with another's is left alone."""
    data = bare(event())
    entries = [listed(f"{each}::1::1", data) for each in ("a", "a-1", "a::1", "b")]
    jobs = read_jobs(pb.ListJobsResponse(jobs=entries), "lab", "default")
    assert [each.actor_id for each in of_instance(jobs, "a")] == ["a::1::1"]


@pytest.mark.parametrize("app_id", ["lab", "my.dotted.app", "activity"])
def test_a_deletion_names_the_caller(app_id: str) -> None:
    """App id and namespace, which must not be empty, are taken from the actor type."""
    job = ActivityJob("a", 1, 1, "", "", activity_type(app_id, "prod"), "a::1::1")
    metadata = delete_request(job).metadata
    assert (metadata.app_id, metadata.namespace) == (app_id, "prod")


@given(st.binary(), st.sampled_from(["", WRAPPED]))
def test_any_data_is_read_or_given_up(value: bytes, type_url: str) -> None:
    """No data raises: there is an event, or there is none."""
    found = read_event(AnyMessage(type_url=type_url, value=value))
    assert found is None or isinstance(found, HistoryEvent)
