"""The gRPC face of the sidecar: `TaskHubSidecarService`, as the Dapr SDKs call it."""

from sidecar.engine.calls import WorkflowCalls
from sidecar.profiles import Profile
from sidecar.service.client_calls import ClientCalls
from sidecar.service.history_calls import HistoryCalls
from sidecar.service.worker_calls import WorkerCalls
from sidecar.workers import Workers

__all__ = ["SidecarService"]


class SidecarService(WorkerCalls, ClientCalls, HistoryCalls):
    """Answers the calls of apps and clients; refusals have the codes and words of the profile."""

    def __init__(self, calls: WorkflowCalls, workers: Workers, profile: Profile) -> None:
        WorkerCalls.__init__(self, workers, profile)
        ClientCalls.__init__(self, calls, profile)
        HistoryCalls.__init__(self, calls, profile)
