"""Lists and deletes pending activities in a Dapr scheduler, blocking or with asyncio.

The only way to end a runaway that works on every version, with the app or the sidecar down. Every
call has a deadline. Thread-safe (`SchedulerClient`); nothing is cached.
"""

from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from scheduler_api.errors import (
    JobsLeftError,
    SchedulerApiError,
    SchedulerRefusedError,
    SchedulerUnreachableError,
)
from scheduler_api.jobs import (
    ActivityJob,
    delete_request,
    list_request,
    of_instance,
    read_jobs,
)
from scheduler_api.proto.scheduler_pb2_grpc import SchedulerStub

DEFAULT_TIMEOUT_S = 5.0
_OPTIONS = [
    # A listing holds the input of every pending activity.
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),
    # Calls fail without being tried while a connection waits: by default for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    # Despite its name that is how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5_000),
]
_NOBODY_ANSWERS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class SchedulerClient:
    """Blocking client of the scheduler at `address` (`host:port`), each call at most `timeout_s`.

    All methods raise SchedulerUnreachableError and SchedulerRefusedError.
    """

    def __init__(self, address: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = SchedulerStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def list_activity_jobs(self, app_id: str, namespace: str = "default") -> list[ActivityJob]:
        """Return the pending activities of an app, healthy ones as well."""
        request = list_request(app_id, namespace)
        try:
            response = self._stub.ListJobs(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _explain(self.address, error) from error
        return read_jobs(response, app_id, namespace)

    def delete_activity_job(self, job: ActivityJob) -> None:
        """Delete one job; no error when it has gone already.

        An execution that is under way goes on, and a healthy workflow still gets its result.
        """
        try:
            self._stub.DeleteJob(delete_request(job), timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _explain(self.address, error) from error

    def delete_instance_jobs(
        self, app_id: str, instance_id: str, namespace: str = "default"
    ) -> list[ActivityJob]:
        """Delete all pending activities of one instance and return them.

        JobsLeftError when a second listing shows any of them again.
        """
        found = of_instance(self.list_activity_jobs(app_id, namespace), instance_id)
        for each in found:
            self.delete_activity_job(each)
        if found:
            left = of_instance(self.list_activity_jobs(app_id, namespace), instance_id)
            _require_none_left(instance_id, left)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncSchedulerClient:
    """The same with asyncio; to be made within a running event loop."""

    def __init__(self, address: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub = SchedulerStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def list_activity_jobs(
        self, app_id: str, namespace: str = "default"
    ) -> list[ActivityJob]:
        """See SchedulerClient."""
        request = list_request(app_id, namespace)
        try:
            response = await self._stub.ListJobs(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _explain(self.address, error) from error
        return read_jobs(response, app_id, namespace)

    async def delete_activity_job(self, job: ActivityJob) -> None:
        """See SchedulerClient."""
        try:
            await self._stub.DeleteJob(delete_request(job), timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise _explain(self.address, error) from error

    async def delete_instance_jobs(
        self, app_id: str, instance_id: str, namespace: str = "default"
    ) -> list[ActivityJob]:
        """See SchedulerClient."""
        found = of_instance(await self.list_activity_jobs(app_id, namespace), instance_id)
        for each in found:
            await self.delete_activity_job(each)
        if found:
            left = of_instance(await self.list_activity_jobs(app_id, namespace), instance_id)
            _require_none_left(instance_id, left)
        return found

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _require_none_left(instance_id: str, left: list[ActivityJob]) -> None:
    if left:
        raise JobsLeftError(instance_id, len(left))


def _explain(address: str, error: grpc.RpcError) -> SchedulerApiError:
    code, details = error.code(), error.details() or ""
    if code in _NOBODY_ANSWERS:
        return SchedulerUnreachableError(address, details)
    return SchedulerRefusedError(address, code.name, details)
