"""Listing instances, reading a history, running again from one of its events."""

import uuid
from typing import Any

import grpc
import pytest

from sidecar.protos import service_pb2 as pb
from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import finish, start, tried
from tests.sidecar.stack import Stack

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
NO_SUCH_METHOD = (
    "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found"
)


def refusal(answer: Any) -> tuple[grpc.StatusCode, str | None]:
    assert isinstance(answer, grpc.RpcError)
    return answer.code(), answer.details()


def test_a_method_that_no_version_has(stack: Stack) -> None:
    """Real daprd takes it for a call to another app."""
    with grpc.insecure_channel(f"127.0.0.1:{stack.app_port}") as channel:
        answer = tried(channel.unary_unary("/TaskHubSidecarService/Nothing"), b"", timeout=20)
    assert refusal(answer) == (grpc.StatusCode.UNKNOWN, NO_SUCH_METHOD)


def test_a_list_of_all_instances_comes_in_pages(stack: Stack, profile: str) -> None:
    """The pages hold each id once, in the order of keys; before 1.17 there is no such method."""
    request = pb.ListInstanceIDsRequest(pageSize=2)
    if profile == "1.16.1":
        answer = tried(stack.stub.ListInstanceIDs, request)
        assert refusal(answer) == (grpc.StatusCode.UNKNOWN, NO_SUCH_METHOD)
        return
    made = {f"listed-{i}" for i in range(5)}
    for each in made:
        start(stack, "collect", each, 1)
    found: list[str] = []
    while True:
        page = stack.stub.ListInstanceIDs(request)
        assert len(page.instanceIds) <= 2
        found += page.instanceIds
        if not page.HasField("continuationToken"):
            break
        request.continuationToken = page.continuationToken
    assert made <= set(found)
    assert found == sorted(set(found), key=lambda each: f"{each}||metadata")


def test_an_id_that_can_not_be_listed(stack: Stack, profile: str) -> None:
    """One instance with `||` in its id makes every listing fail, with the recorded words."""
    if profile == "1.16.1":
        return
    start(stack, "chain", "a||b", 1)
    finish(stack, "a||b")
    text = "invalid key format: lab||dapr.internal.default.lab.workflow||a||b||metadata"
    answer = tried(stack.stub.ListInstanceIDs, pb.ListInstanceIDsRequest())
    assert refusal(answer) == (grpc.StatusCode.UNKNOWN, text)
    stack.client.purge_workflow("a||b")
    assert stack.stub.ListInstanceIDs(pb.ListInstanceIDsRequest()).instanceIds


def test_a_history_is_all_events_in_order(stack: Stack, profile: str) -> None:
    """From the first turn's `workflowStarted` to `executionCompleted`, as stored."""
    if profile == "1.16.1":
        return
    start(stack, "chain", "historic", 1)
    finish(stack, "historic")
    events = stack.stub.GetInstanceHistory(pb.GetInstanceHistoryRequest(instanceId="historic"))
    kinds = [each.WhichOneof("eventType") for each in events.events]
    assert kinds == [
        *("workflowStarted", "executionStarted", "taskScheduled"),
        *("workflowStarted", "taskCompleted", "taskScheduled") * 2,
        *("workflowStarted", "taskCompleted", "executionCompleted"),
    ]


def rerun(stack: Stack, **asked: Any) -> Any:
    request = pb.RerunWorkflowFromEventRequest(sourceInstanceID="first", **asked)
    return tried(stack.stub.RerunWorkflowFromEvent, request)


def test_a_run_is_repeated_from_one_of_its_activities(stack: Stack) -> None:
    """The new instance keeps what came before, and goes on with the new input to its end."""
    start(stack, "chain", "first", 1000)
    finish(stack, "first")
    answer = rerun(stack, eventID=2, overwriteInput=True, input={"value": "[5, 5]"})
    assert uuid.UUID(answer.newInstanceID)
    ended = finish(stack, answer.newInstanceID)
    assert (ended.runtime_status.name, ended.serialized_output) == ("COMPLETED", "110")
    assert rerun(stack, eventID=3, newInstanceID="third").newInstanceID == "third"
    assert finish(stack, "third").serialized_output == "1111"
    code, text = refusal(rerun(stack, eventID=3, newInstanceID="third"))
    assert (code, text) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "workflow 'third' has already been created",
    )


def test_a_purge_by_filter_is_refused(stack: Stack) -> None:
    """With Dapr's own words."""
    request = pb.PurgeInstancesRequest(purgeInstanceFilter=pb.PurgeInstanceFilter())
    text = "multi-instance purge is not unimplemented"
    assert refusal(tried(stack.stub.PurgeInstances, request)) == (grpc.StatusCode.UNKNOWN, text)


def test_a_forced_purge_of_nothing(stack: Stack, profile: str) -> None:
    """Is an error, where real daprd 1.18.3 crashes."""
    noun = "orchestration" if profile == "1.16.1" else "workflow"
    request = pb.PurgeInstancesRequest(instanceId="never-was", force=True)
    text = f"failed to purge {noun} state: no such instance exists"
    assert refusal(tried(stack.stub.PurgeInstances, request)) == (grpc.StatusCode.UNKNOWN, text)


def test_the_history_of_what_does_not_exist(stack: Stack, profile: str) -> None:
    """It is NOT_FOUND where the call exists."""
    answer = tried(stack.stub.GetInstanceHistory, pb.GetInstanceHistoryRequest(instanceId="nope-h"))
    if profile == "1.16.1":
        assert refusal(answer) == (grpc.StatusCode.UNKNOWN, NO_SUCH_METHOD)
    else:
        text = "workflow instance 'nope-h' not found"
        assert refusal(answer) == (grpc.StatusCode.NOT_FOUND, text)
