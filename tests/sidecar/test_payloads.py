"""Payloads of many megabytes, between a sidecar and an app that takes them."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sidecar.protos import ORCHESTRATION_STATUS_COMPLETED, service_grpc, service_pb2
from tests.sidecar.stack import Stack, stack, until

PAYLOAD = "x" * 12_000_000
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_TIMEOUT_S = 30


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Any]:
    """Give the calls of a sidecar, and an app of its own that passes its input on."""
    with stack(tmp_path / "stack", "1.16.1", relayed=False) as made:
        made.kill_app()
        _until_connected(made, 0)
        with grpc.insecure_channel(f"127.0.0.1:{made.app_port}", options=_UNLIMITED) as channel:
            calls: Any = service_grpc.TaskHubSidecarServiceStub(channel)  # type: ignore[no-untyped-call]
            items = calls.GetWorkItems(service_pb2.GetWorkItemsRequest())
            worker = threading.Thread(target=_work, args=(calls, items))
            worker.start()
            _until_connected(made, 1)
            yield calls
            items.cancel()
            worker.join(_TIMEOUT_S)


def _until_connected(made: Stack, workers: int) -> None:
    until(lambda: made.metadata()["workflows"]["connectedWorkers"] == workers)


def _work(calls: Any, items: Any) -> None:
    """Answer each activity with its input; a workflow runs one on its own input."""
    try:
        for item in items:
            if item.HasField("activityRequest"):
                asked = item.activityRequest
                answer = service_pb2.ActivityResponse(
                    instanceId=asked.workflowInstance.instanceId,
                    taskId=asked.taskId,
                    result=asked.input,
                )
                calls.CompleteActivityTask(answer, timeout=_TIMEOUT_S)
            else:
                calls.CompleteOrchestratorTask(_decided(item), timeout=_TIMEOUT_S)
    except grpc.RpcError:
        return


def _decided(item: service_pb2.WorkItem) -> service_pb2.WorkflowResponse:
    asked = item.workflowRequest
    response = service_pb2.WorkflowResponse(
        instanceId=asked.instanceId, completionToken=item.completionToken
    )
    action = response.actions.add(id=1)
    for each in asked.newEvents:
        if each.HasField("executionStarted"):
            action.scheduleTask.name = "echo"
            action.scheduleTask.input.CopyFrom(each.executionStarted.input)
        elif each.HasField("taskCompleted"):
            action.completeWorkflow.workflowStatus = ORCHESTRATION_STATUS_COMPLETED
            action.completeWorkflow.result.CopyFrom(each.taskCompleted.result)
    return response


def test_an_activity_takes_and_returns_twelve_megabytes(stub: Any) -> None:
    """Input and result pass the sidecar, the scheduler's job and the store, whole."""
    request = service_pb2.CreateInstanceRequest(instanceId="large", name="echo")
    request.input.value = PAYLOAD
    stub.StartInstance(request, timeout=_TIMEOUT_S)
    asked = service_pb2.GetInstanceRequest(instanceId="large", getInputsAndOutputs=True)
    ended = stub.WaitForInstanceCompletion(asked, timeout=_TIMEOUT_S).workflowState
    assert ended.workflowStatus == ORCHESTRATION_STATUS_COMPLETED
    assert ended.output.value == PAYLOAD
