"""The protobuf messages of Dapr's workflow protocol, from the SDK's own stubs.

One place that knows where the SDK keeps them, so that a new SDK moves one module.
"""

from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as service_pb2
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc as service_grpc
from dapr.ext.workflow._durabletask.internal.backend_service_pb2 import (
    ActivityInvocation,
    BackendWorkflowState,
    BackendWorkflowStateMetadata,
)
from dapr.ext.workflow._durabletask.internal.history_events_pb2 import HistoryEvent
from dapr.ext.workflow._durabletask.internal.orchestration_pb2 import (
    ORCHESTRATION_STATUS_COMPLETED,
    ORCHESTRATION_STATUS_CONTINUED_AS_NEW,
    ORCHESTRATION_STATUS_FAILED,
    ORCHESTRATION_STATUS_PENDING,
    ORCHESTRATION_STATUS_RUNNING,
    ORCHESTRATION_STATUS_STALLED,
    ORCHESTRATION_STATUS_SUSPENDED,
    ORCHESTRATION_STATUS_TERMINATED,
    PATCH_MISMATCH,
    VERSION_NOT_AVAILABLE,
    OrchestrationStatus,
    WorkflowState,
    WorkflowVersion,
)
from dapr.ext.workflow._durabletask.internal.orchestrator_actions_pb2 import (
    CompleteWorkflowAction,
    WorkflowAction,
)

__all__ = [
    "ORCHESTRATION_STATUS_COMPLETED",
    "ORCHESTRATION_STATUS_CONTINUED_AS_NEW",
    "ORCHESTRATION_STATUS_FAILED",
    "ORCHESTRATION_STATUS_PENDING",
    "ORCHESTRATION_STATUS_RUNNING",
    "ORCHESTRATION_STATUS_STALLED",
    "ORCHESTRATION_STATUS_SUSPENDED",
    "ORCHESTRATION_STATUS_TERMINATED",
    "PATCH_MISMATCH",
    "VERSION_NOT_AVAILABLE",
    "ActivityInvocation",
    "BackendWorkflowState",
    "BackendWorkflowStateMetadata",
    "CompleteWorkflowAction",
    "HistoryEvent",
    "OrchestrationStatus",
    "WorkflowAction",
    "WorkflowState",
    "WorkflowVersion",
    "service_grpc",
    "service_pb2",
]
