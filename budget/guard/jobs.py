"""The scheduler's job that executes an activity: deleting it ends the redeliveries."""

import os
import threading

import structlog

from budget.guard.place import Place
from scheduler_api import ActivityJob, SchedulerApiError, SchedulerClient

log = structlog.get_logger(__name__)

CALL_TIMEOUT_S = 2.0


class Jobs:
    """Finds and deletes an activity's own job. Never raises: what can't be deleted is logged.

    Args:
        address: The scheduler's `host:port`; empty when it is not known.
        app_id: Dapr app id; the same.
        namespace: Of the app.
    """

    def __init__(self, address: str, app_id: str, namespace: str) -> None:
        self._address = address
        self._app_id = app_id
        self._namespace = namespace
        self._lock = threading.Lock()
        self._client: SchedulerClient | None = None
        self._pid = 0

    def delete(self, place: Place) -> int:
        """Delete the job; return how many there were: none when it has gone, or on an error."""
        if not self._address or not self._app_id:
            log.error("job_not_deleted", instance=place.instance, reason=_UNKNOWN)
            return 0
        try:
            return self._delete(place)
        except SchedulerApiError as error:
            # It is delivered again in a second, and this is tried again.
            log.error("job_not_deleted", instance=place.instance, reason=str(error))  # noqa: TRY400
            return 0

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _delete(self, place: Place) -> int:
        client = self._connected()
        found = [
            job
            for job in client.list_activity_jobs(self._app_id, self._namespace)
            if _is_of(job, place)
        ]
        for job in found:
            client.delete_activity_job(job)
            log.warning("job_deleted", instance=place.instance, task_id=place.task_id)
        return len(found)

    def _connected(self) -> SchedulerClient:
        """Return the client of this process: a channel is not carried over a fork."""
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._client = SchedulerClient(self._address, CALL_TIMEOUT_S)
                self._pid = os.getpid()
            return self._client


_UNKNOWN = (
    "nobody said where the scheduler is and which app this is: set BUDGET_SCHEDULER_ADDRESS and "
    "BUDGET_APP_ID, or give scheduler_address and app_id"
)


def _is_of(job: ActivityJob, place: Place) -> bool:
    """Whether a job executes an activity; one whose data can't be read tells no execution id."""
    return (
        job.instance_id == place.instance
        and job.task_id == place.task_id
        and job.execution_id in {place.execution_id, ""}
    )
