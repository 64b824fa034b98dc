"""The scenarios that were recorded on real Dapr, driven through the SDK's client as they were."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from sidecar.protos import service_pb2 as pb
from tests.sidecar.stack import Stack, until

_SHORT_S = 1.0
LONG_ID = "x" * 300


def run_all(stack: Stack) -> None:
    """Run all scenarios at once; they do not touch one another's instances."""
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        for each in [pool.submit(scenario, stack) for scenario in SCENARIOS]:
            each.result()


def start(stack: Stack, workflow: str, instance: str, asked: Any = None) -> None:
    """Start an instance; a refusal is for the wiretap to see."""
    try:
        stack.client.schedule_new_workflow(workflow, input=asked, instance_id=instance)
    except grpc.RpcError:
        return


def finish(stack: Stack, instance: str, timeout_s: int = 20) -> Any:
    """Wait until an instance has ended."""
    return stack.client.wait_for_workflow_completion(instance, timeout_in_seconds=timeout_s)


def get(stack: Stack, instance: str) -> Any:
    """Ask for an instance; a refusal is for the wiretap to see."""
    return tried(stack.client.get_workflow_state, instance)


def tried(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call, and return the answer or the refusal."""
    try:
        return call(*arguments, **named)
    except grpc.RpcError as error:
        return error


def happy(stack: Stack) -> None:
    start(stack, "seq", "happy-1", {"steps": 3, "sleep": 0.05})
    finish(stack, "happy-1")
    get(stack, "happy-1")


def retry_until_it_works(stack: Stack) -> None:
    start(stack, "retry", "retry-ok", {"fail": 2})
    finish(stack, "retry-ok")


def retry_in_vain(stack: Stack) -> None:
    start(stack, "retry", "retry-fail", {"fail": 99})
    finish(stack, "retry-fail")


def fanout(stack: Stack) -> None:
    start(stack, "fan", "fan-1")
    finish(stack, "fan-1")


def timer(stack: Stack) -> None:
    start(stack, "timer", "timer-1", 2)
    get(stack, "timer-1")
    finish(stack, "timer-1")


def event(stack: Stack) -> None:
    start(stack, "ext", "ext-1")
    get(stack, "ext-1")
    stack.client.raise_workflow_event("ext-1", "go", data={"x": 1})
    finish(stack, "ext-1")
    stack.client.raise_workflow_event("ext-1", "go", data=1)
    tried(stack.client.raise_workflow_event, "ext-unknown", "go", data=1)


def event_timeout(stack: Stack) -> None:
    start(stack, "ext_timeout", "ext-to")
    finish(stack, "ext-to")


def continue_as_new(stack: Stack) -> None:
    start(stack, "can", "can-1", 0)
    finish(stack, "can-1")


def children(stack: Stack) -> None:
    start(stack, "parent", "parent-1", {"sleep": 0})
    finish(stack, "parent-1")
    get(stack, "parent-1-kid")


def suspend(stack: Stack) -> None:
    start(stack, "seq", "susp-1", {"steps": 3, "sleep": 1})
    stack.client.pause_workflow("susp-1")
    until(lambda: stack.executions("susp-1", "end"))
    # The result's turn has been taken once its `workflowStarted` is stored.
    until(lambda: "history-000006" in stack.keys("susp-1"))
    get(stack, "susp-1")
    stack.client.resume_workflow("susp-1")
    until(lambda: len(stack.executions("susp-1")) > 1)
    get(stack, "susp-1")
    finish(stack, "susp-1")
    stack.client.pause_workflow("susp-1")


def terminate(stack: Stack) -> None:
    start(stack, "seq", "term-1", {"steps": 3, "sleep": 2})
    stack.client.terminate_workflow("term-1", output="bye")
    finish(stack, "term-1")
    until(lambda: stack.executions("term-1", "end"))
    get(stack, "term-1")
    stack.client.terminate_workflow("term-1")
    stack.client.purge_workflow("term-1")
    get(stack, "term-1")
    tried(stack.client.purge_workflow, "term-1")


def unknown(stack: Stack) -> None:
    get(stack, "unknown-1")
    for call in (
        stack.client.pause_workflow,
        stack.client.resume_workflow,
        stack.client.terminate_workflow,
        stack.client.purge_workflow,
    ):
        tried(call, "nope")
    if stack.profile == "1.16.1":
        # Real daprd 1.18.3 crashes on this one.
        tried(stack.stub.PurgeInstances, pb.PurgeInstancesRequest(instanceId="nope", force=True))


def purge_running(stack: Stack) -> None:
    start(stack, "seq", "purge-run", {"steps": 2, "sleep": 2})
    tried(stack.client.purge_workflow, "purge-run")
    get(stack, "purge-run")
    request = pb.PurgeInstancesRequest(instanceId="purge-run", force=True)
    tried(stack.stub.PurgeInstances, request)
    finish(stack, "purge-run")
    get(stack, "purge-run")


def duplicate(stack: Stack) -> None:
    start(stack, "seq", "dup-1", {"steps": 1, "sleep": 1})
    start(stack, "seq", "dup-1", {"steps": 1})
    finish(stack, "dup-1")
    start(stack, "seq", "dup-1", {"steps": 1})
    finish(stack, "dup-1")
    get(stack, "dup-1")


def odd_ids(stack: Stack) -> None:
    for instance in ("a b", "a/b", "a||b", "é-ü", "a.b_c-d", "a?b=c#d", LONG_ID):
        start(stack, "seq", instance, {"steps": 1})
        if not stack.tap.refused(instance):
            finish(stack, instance)
    tried(
        stack.stub.StartInstance,
        pb.CreateInstanceRequest(name="seq", input=StringValue(value='{"steps":1}')),
    )


def unregistered(stack: Stack) -> None:
    tried(stack.stub.StartInstance, pb.CreateInstanceRequest(instanceId="noname"))
    get(stack, "noname")
    start(stack, "no_such_wf", "unk-wf")
    finish(stack, "unk-wf")
    start(stack, "noact", "unk-act")
    finish(stack, "unk-act")
    get(stack, "unk-act")


def nothing_pending(stack: Stack) -> None:
    # Relayed errors keep the caller's deadline out of the sidecar's answer.
    activity = pb.ActivityResponse(instanceId="nope-a", taskId=7)
    tried(stack.stub.CompleteActivityTask, activity, timeout=_SHORT_S)
    turn = pb.WorkflowResponse(instanceId="nope-t")
    tried(stack.stub.CompleteOrchestratorTask, turn, timeout=_SHORT_S)
    tried(stack.stub.CompleteWorkflowTask, pb.WorkflowResponse(instanceId="nope-w"))
    tried(stack.stub.GetInstanceHistory, pb.GetInstanceHistoryRequest(instanceId="nope-h"))


def ambiguous_id(stack: Stack) -> None:
    start(stack, "seq", "a::b", {"steps": 1})
    until(lambda: stack.executions("a"))
    time.sleep(2.5)


def keys(stack: Stack) -> None:
    start(stack, "seq", "keys-1", {"steps": 3, "sleep": 0.5})
    until(lambda: len(stack.executions("keys-1")) > 1)
    stack.client.raise_workflow_event("keys-1", "early", data=1)
    finish(stack, "keys-1")
    start(stack, "ext", "keys-1b")


def expiry_while_the_sidecar_lives(stack: Stack) -> None:
    """Not in the list: it sets a TTL for the whole stack."""
    stack.set_ttl(2)
    start(stack, "seq", "ttl-live", {"steps": 2, "sleep": 3})
    get(stack, "ttl-live")
    until(lambda: not stack.keys("ttl-live"))
    get(stack, "ttl-live")
    until(lambda: len(stack.executions("ttl-live")) > 1)
    until(lambda: "history-000003" in stack.keys("ttl-live"))
    get(stack, "ttl-live")
    finish(stack, "ttl-live")


SCENARIOS: tuple[Callable[[Stack], None], ...] = (
    happy,
    retry_until_it_works,
    retry_in_vain,
    fanout,
    timer,
    event,
    event_timeout,
    continue_as_new,
    children,
    suspend,
    terminate,
    unknown,
    purge_running,
    duplicate,
    odd_ids,
    unregistered,
    nothing_pending,
    ambiguous_id,
    keys,
)
