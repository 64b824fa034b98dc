"""The SDK's workflow worker, kept from blocking the app.

`WorkflowRuntime.start()` never returns without a sidecar, and `shutdown()` waits for whatever an
activity waits for. Both run in threads of their own here, and `stop` has a deadline; what is then
still alive dies with the process, and the engine delivers its work again.
"""

import threading
from functools import partial
from typing import Final

import structlog
from dapr.conf import settings as dapr_settings
from dapr.ext.workflow import WorkflowRuntime

from workflow_app.activities import ACTIVITY_NAMES, build_activity
from workflow_app.executions import ExecutionLog
from workflow_app.instances import Instances
from workflow_app.llm import LlmClient
from workflow_app.logs import sdk_logger_options
from workflow_app.settings import Settings
from workflow_app.workflows import WORKFLOWS, reporting_return

_log = structlog.get_logger(__name__)

WORKFLOW_THREADS: Final = 16
"""Threads beyond those of the activities: the SDK runs both in one pool, and workflow turns must
go on while every activity waits for its answer."""

DELIVERY_TIMEOUT_S: Final = 60
"""Limit of every call of the SDK to the sidecar: Dapr 1.16.1 lets a late result wait for ever."""


class Worker:
    """Runs the registered workflows and activities against the sidecar."""

    def __init__(
        self, settings: Settings, *, llm: LlmClient, log: ExecutionLog, instances: Instances
    ) -> None:
        _limit_deliveries()
        host, _, port = settings.sidecar_address.rpartition(":")
        self._runtime = WorkflowRuntime(
            host=host,
            port=port,
            logger_options=sdk_logger_options(),
            maximum_concurrent_activity_work_items=settings.activity_threads,
            maximum_thread_pool_workers=settings.activity_threads + WORKFLOW_THREADS,
        )
        for name in ACTIVITY_NAMES:
            activity = build_activity(name, app_id=settings.app_id, llm=llm, log=log)
            self._runtime.register_activity(activity, name=name)
        for name, workflow in WORKFLOWS.items():
            returned = partial(instances.function_returned, name=name)
            self._runtime.register_workflow(reporting_return(workflow, returned), name=name)
        self._started = threading.Event()

    @property
    def started(self) -> bool:
        """Whether the worker has had its work item stream; it stays true when that breaks."""
        return self._started.is_set()

    def start(self) -> None:
        """Begin to connect, and return at once."""
        threading.Thread(target=self._start, name="workflow-runtime-start", daemon=True).start()

    def stop(self, timeout_s: float) -> bool:
        """Stop taking work; return whether all of it ended within the time."""
        stopping = threading.Thread(
            target=self._runtime.shutdown, name="workflow-runtime-stop", daemon=True
        )
        stopping.start()
        stopping.join(timeout_s)
        return not stopping.is_alive()

    def _start(self) -> None:
        try:
            self._runtime.start()  # type: ignore[no-untyped-call] # the SDK annotates nothing here
        except RuntimeError as error:
            _log.info("worker_not_started", reason=str(error))
            return
        self._started.set()
        _log.info("worker_connected")


def _limit_deliveries() -> None:
    if getattr(dapr_settings, "DAPR_API_TIMEOUT_SECONDS", None) is None:
        setattr(dapr_settings, "DAPR_API_TIMEOUT_SECONDS", DELIVERY_TIMEOUT_S)  # noqa: B010 - the SDK declares it in no way that mypy sees
