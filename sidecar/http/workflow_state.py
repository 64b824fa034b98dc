"""What `GET /v1.0/workflows/…` tells of an instance. Pure.

The shape is documented; which properties are left out is from Dapr's source, not recorded.
"""

from sidecar.engine.instance import Instance, describe, status_name
from sidecar.protos import WorkflowState

# Dapr's table of names ends before this one.
_UNNAMED = "STALLED"


def told(instance_id: str, state: Instance, *, with_stack_trace: bool) -> dict[str, object]:
    """Return the body; like Dapr it leaves out what is empty."""
    found = describe(instance_id, state, with_payloads=True, with_started_at=False)
    body: dict[str, object] = {
        "instanceID": instance_id,
        "workflowName": found.name,
        "createdAt": found.createdTimestamp.ToJsonString(),
        "lastUpdatedAt": found.lastUpdatedTimestamp.ToJsonString(),
        "runtimeStatus": _status(found),
        "properties": _properties(found, with_stack_trace=with_stack_trace),
    }
    return {name: value for name, value in body.items() if value}


def _status(found: WorkflowState) -> str:
    name = status_name(found.workflowStatus)
    return "UNKNOWN" if name == _UNNAMED or not name.isalpha() else name


def _properties(found: WorkflowState, *, with_stack_trace: bool) -> dict[str, str]:
    told: dict[str, str] = {}
    if found.HasField("customStatus"):
        told["dapr.workflow.custom_status"] = found.customStatus.value
    if found.HasField("input"):
        told["dapr.workflow.input"] = found.input.value
    if found.HasField("output"):
        told["dapr.workflow.output"] = found.output.value
    if found.HasField("failureDetails"):
        failure = found.failureDetails
        told["dapr.workflow.failure.error_type"] = failure.errorType
        told["dapr.workflow.failure.error_message"] = failure.errorMessage
        if with_stack_trace and failure.HasField("stackTrace"):
            told["dapr.workflow.failure.stack_trace"] = failure.stackTrace.value
    return told
