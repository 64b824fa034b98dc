"""The actor API's view of workflows' reminders, as recorded in a runaway on 1.16.1."""

from typing import Any

import grpc
import httpx
import pytest
from dapr.proto.runtime.v1.actors_pb2 import UnregisterActorReminderRequest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty

from scheduler_api.proto import scheduler_pb2 as pb
from scheduler_api.proto.scheduler_pb2_grpc import SchedulerStub
from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import start
from tests.sidecar.stack import Stack, until

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
ACTIVITY = "dapr.internal.default.lab.activity"
RESERVED = (
    f'actor type "{ACTIVITY}" is reserved for the Dapr workflow runtime; '
    "direct actor API access is not permitted"
)
NON_HOSTED = "operations on actor reminders are only possible on hosted actor types"


def ask(stack: Stack, method: str, actor: str, actor_type: str = ACTIVITY) -> httpx.Response:
    base = stack.health_url.replace("healthz", f"actors/{actor_type}")
    return httpx.request(method, f"{base}/{actor}/reminders/run-activity", timeout=20)


def unregister(stack: Stack, actor: str) -> Any:
    """Call over gRPC; return the answer, or code and details."""
    request = UnregisterActorReminderRequest(
        actor_type=ACTIVITY, actor_id=actor, name="run-activity"
    )
    with grpc.insecure_channel(f"127.0.0.1:{stack.app_port}") as channel:
        method = channel.unary_unary(
            "/dapr.proto.runtime.v1.Dapr/UnregisterActorReminder",
            request_serializer=UnregisterActorReminderRequest.SerializeToString,
            response_deserializer=Empty.FromString,
        )
        try:
            return method(request, timeout=20)
        except grpc.RpcError as error:
            return error.code().name, error.details()


def test_an_activitys_reminder_is_read_and_deleted(stack: Stack, profile: str) -> None:
    """1.16: 200 with the event, then 204 as often as one asks; 1.18.3: 403, reserved."""
    start(stack, "race", "reminded", "timer")
    if profile == "1.18.3":
        for method in ("GET", "DELETE"):
            answer = ask(stack, method, "reminded::1::1")
            told = {"errorCode": "ERR_ACTOR_TYPE_RESERVED", "message": RESERVED}
            assert (answer.status_code, answer.json()) == (403, told)
        assert unregister(stack, "reminded::1::1") == ("PERMISSION_DENIED", RESERVED)
        return
    found = ask(stack, "GET", "reminded::1::1")
    assert found.status_code == 200
    assert found.json()["data"]["taskScheduled"]["name"] == "nap"
    for _ in range(2):
        gone = ask(stack, "DELETE", "reminded::1::1")
        assert (gone.status_code, gone.text) == (204, "")
    assert ask(stack, "GET", "reminded::1::1").json() == {}
    assert unregister(stack, "reminded::1::1") == Empty()


def test_types_that_are_not_hosted(stack: Stack, profile: str) -> None:
    """Reminders of other actor types are refused; so is everything while no app is connected."""
    told = {"errorCode": "ERR_ACTOR_REMINDER_NON_HOSTED", "message": NON_HOSTED}
    answer = ask(stack, "DELETE", "someone", "OwnActor")
    assert (answer.status_code, answer.json()) == (403, told)
    if profile == "1.16.1":
        stack.kill_app()
        until(lambda: stack.metadata()["workflows"]["connectedWorkers"] == 0)
        answer = ask(stack, "DELETE", "someone")
        assert (answer.status_code, answer.json()) == (403, told)
        assert unregister(stack, "someone") == ("PERMISSION_DENIED", NON_HOSTED)
        stack.start_app()


def test_data_of_an_unknown_type_is_told_as_it_is(stack: Stack, profile: str) -> None:
    """Whoever schedules jobs for these actors may put anything into them."""
    target = pb.JobTargetMetadata(actor=pb.TargetActorReminder(type=ACTIVITY, id="odd::1::1"))
    metadata = pb.JobMetadata(app_id="lab", namespace="default", target=target)
    job = pb.Job(due_time="1h", data=AnyMessage(type_url="type.example/of.Nobody", value=b"odd"))
    request = pb.ScheduleJobRequest(name="run-activity", metadata=metadata, job=job)
    with grpc.insecure_channel(stack.scheduler_address) as channel:
        SchedulerStub(channel).ScheduleJob(request)  # type: ignore[no-untyped-call]  # generated
    answer = ask(stack, "GET", "odd::1::1")
    if profile == "1.16.1":
        told = {"@type": "type.example/of.Nobody", "value": "b2Rk"}
        assert (answer.status_code, answer.json()["data"]) == (200, told)
        assert ask(stack, "DELETE", "odd::1::1").status_code == 204
    else:
        assert answer.status_code == 403
