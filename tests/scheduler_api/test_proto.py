"""The checked-in stubs, and the numbers of the wire."""

import subprocess
import sys
from pathlib import Path

import pytest

from scheduler_api.proto import scheduler_pb2 as pb
from tests.support.services import ROOT

PROTO = Path("scheduler_api") / "proto" / "scheduler.proto"


def test_stubs_equal_a_regeneration(tmp_path: Path) -> None:
    """Generating the stubs from the proto file gives what is checked in."""
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", "."]
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([*command, *outputs, str(PROTO)], cwd=ROOT, check=True, capture_output=True)
    for each in ("scheduler_pb2.py", "scheduler_pb2.pyi", "scheduler_pb2_grpc.py"):
        generated = (tmp_path / PROTO.parent / each).read_text()
        assert generated == (ROOT / PROTO.parent / each).read_text(), each


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (pb.ScheduleJobRequest, {"name": 1, "job": 2, "metadata": 3, "overwrite": 4}),
        (pb.WatchJobsResponse, {"name": 1, "id": 2, "data": 3, "metadata": 4}),
        (pb.JobMetadata, {"app_id": 1, "namespace": 2, "target": 3, "concurrency_key": 4}),
        (pb.TargetActorReminder, {"id": 1, "type": 2}),
        (pb.NamedJob, {"name": 1, "metadata": 2, "job": 3}),
        (pb.DeleteJobRequest, {"name": 1, "metadata": 2}),
        (
            pb.Job,
            {"schedule": 1, "repeats": 2, "due_time": 3, "ttl": 4, "data": 5, "failure_policy": 6},
        ),
    ],
)
def test_field_numbers_are_the_wires(message: type, fields: dict[str, int]) -> None:
    """A field has the number that Dapr 1.16.1 and 1.18.3 give it."""
    descriptor = message.DESCRIPTOR  # type: ignore[attr-defined]  # a message class
    assert {each.name: each.number for each in descriptor.fields} == fields
