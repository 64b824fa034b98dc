"""Calls to the sidecar through the SDK's client; a refusal is for the wiretap to see."""

from collections.abc import Callable
from typing import Any

import grpc

from tests.conformance.bench import Bench


def tried(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call, and return the answer or the refusal."""
    try:
        return call(*arguments, **named)
    except grpc.RpcError as error:
        return error


def returned(answer: Any) -> Any:
    """Return an answer, or the code and text of a refusal, as it was recorded."""
    if isinstance(answer, grpc.RpcError):
        return {"code": answer.code().name, "details": answer.details()}
    return str(answer)


def start(bench: Bench, workflow: str, instance: str, asked: Any = None) -> None:
    """Start an instance."""
    tried(bench.client.schedule_new_workflow, workflow, input=asked, instance_id=instance)


def finish(bench: Bench, instance: str, timeout_s: int = 20) -> Any:
    """Wait until an instance has ended."""
    return bench.client.wait_for_workflow_completion(instance, timeout_in_seconds=timeout_s)


def get(bench: Bench, instance: str) -> Any:
    """Ask for an instance."""
    return tried(bench.client.get_workflow_state, instance)


def clear(bench: Bench, instance: str) -> None:
    """End an instance and forget it, as far as calls can."""
    tried(bench.client.terminate_workflow, instance)
    tried(bench.client.purge_workflow, instance)
