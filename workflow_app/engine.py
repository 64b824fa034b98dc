"""The workflow engine, asked through the SDK's client with a deadline on every call.

The SDK's channel waits up to two minutes before it tries a lost sidecar again; `reconnect` drops it
so that the next call begins with a fresh one.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from dapr.ext.workflow.aio import DaprWorkflowClient
from dapr.ext.workflow.workflow_state import WorkflowState

from workflow_app.clock import unix_ms
from workflow_app.errors import (
    ApiError,
    EngineFailedError,
    EngineTimeoutError,
    EngineUnreachableError,
    InstanceActiveError,
    InstanceEndedError,
    InstanceOpenError,
    UnknownInstanceError,
)
from workflow_app.instances import ENDED, NOT_FOUND, UNREACHABLE, EngineView
from workflow_app.logs import sdk_logger_options

NO_INSTANCE: Final = "no such instance exists"
UNKNOWN: Final = "UNKNOWN"
"""Stands for the status where the engine answered with an error."""

_UNREACHABLE_CODES: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
"""FAILED_PRECONDITION: a sidecar that has just started does not know its workflow actors yet."""


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """The engine's answer about one instance, with its payloads as JSON values."""

    view: EngineView
    name: str | None = None
    input: Any = None
    output: Any = None
    failure: str | None = None

    def open_status(self, instance_id: str) -> str:
        """Return the status of an instance that has not ended.

        Raises:
            UnknownInstanceError: The engine does not know it.
            InstanceEndedError: It has ended.
            EngineUnreachableError: The engine did not answer.
            EngineFailedError: It answered with an error.
        """
        status, detail = self.view.status or NOT_FOUND, self.view.detail or ""
        if status == NOT_FOUND:
            raise UnknownInstanceError(NO_INSTANCE)
        if status == UNREACHABLE:
            raise EngineUnreachableError(detail)
        if status == UNKNOWN:
            raise EngineFailedError(detail)
        if status in ENDED:
            raise InstanceEndedError(f"workflow {instance_id!r} has ended: it is {status}")
        return status


class Engine:
    """Starts, reads and steers workflows; belongs to one event loop."""

    def __init__(self, address: str, *, timeout_s: float) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._address = address
        self._timeout_s = timeout_s
        self._client = self._connect()

    def reconnect(self) -> None:
        """Use a fresh connection from the next call on."""
        self._client = self._connect()

    async def start(self, name: str, *, instance_id: str, given: dict[str, Any]) -> None:
        """Start a workflow.

        Raises:
            InstanceActiveError: A workflow with this id has not ended.
            EngineUnreachableError: No answer; the workflow may have been started all the same.
            EngineFailedError: The engine refused.
        """
        async with self._asking(f"start {instance_id!r}"):
            await self._client.schedule_new_workflow(name, input=given, instance_id=instance_id)

    async def record(self, instance_id: str, *, payloads: bool = True) -> EngineRecord:
        """Return what the engine says of an instance; an engine that can't say is no error."""
        asked = unix_ms()
        try:
            async with self._asking(f"read {instance_id!r}"):
                state = await self._client.get_workflow_state(instance_id, fetch_payloads=payloads)
        except EngineUnreachableError as error:
            return EngineRecord(EngineView(UNREACHABLE, asked, str(error)))
        except ApiError as error:
            return EngineRecord(EngineView(UNKNOWN, asked, str(error)))
        if state is None:
            return EngineRecord(EngineView(NOT_FOUND, asked))
        return _record(state, asked)

    async def terminate(self, instance_id: str) -> None:
        """Terminate a workflow.

        Raises:
            UnknownInstanceError: The engine does not know it.
            EngineUnreachableError: No answer.
            EngineFailedError: The engine refused.
        """
        async with self._asking(f"terminate {instance_id!r}"):
            await self._client.terminate_workflow(instance_id)

    async def suspend(self, instance_id: str) -> None:
        """Suspend a workflow, whatever it is doing; errors as `terminate`."""
        async with self._asking(f"suspend {instance_id!r}"):
            await self._client.pause_workflow(instance_id)

    async def resume(self, instance_id: str) -> None:
        """Resume a workflow, whatever it is doing; errors as `terminate`."""
        async with self._asking(f"resume {instance_id!r}"):
            await self._client.resume_workflow(instance_id)

    async def raise_event(self, instance_id: str, name: str, payload: Any) -> None:
        """Give a workflow an event, which is kept until it waits for it; errors as `terminate`."""
        async with self._asking(f"raise {name!r} for {instance_id!r}"):
            await self._client.raise_workflow_event(instance_id, name, data=payload)

    async def purge(self, instance_id: str) -> None:
        """Delete the state of a workflow that has ended.

        Raises:
            UnknownInstanceError: The engine does not know it.
            InstanceOpenError: It has not ended.
            EngineUnreachableError: No answer.
            EngineFailedError: The engine refused.
        """
        async with self._asking(f"purge {instance_id!r}"):
            await self._client.purge_workflow(instance_id)

    def _connect(self) -> DaprWorkflowClient:
        return DaprWorkflowClient(
            host=self._host, port=self._port, logger_options=sdk_logger_options()
        )

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            raise EngineTimeoutError(
                f"the sidecar at {self._address} did not answer within {self._timeout_s:g} s: "
                f"{what} (it may happen all the same)"
            ) from None
        except grpc.aio.AioRpcError as error:
            raise self._translated(error, what) from None

    def _translated(self, error: grpc.aio.AioRpcError, what: str) -> ApiError:
        detail = error.details() or error.code().name
        if NO_INSTANCE in detail:
            return UnknownInstanceError(detail)
        if error.code() is grpc.StatusCode.ALREADY_EXISTS or "already exists" in detail:
            return InstanceActiveError(detail)
        if "has not yet completed" in detail:
            return InstanceOpenError(detail)
        if error.code() in _UNREACHABLE_CODES or "did not find address" in detail:
            return EngineUnreachableError(
                f"the sidecar at {self._address} can't be reached ({detail}): {what}"
            )
        return EngineFailedError(detail)


def _record(state: WorkflowState, asked_unix_ms: int) -> EngineRecord:
    failure = state.failure_details
    return EngineRecord(
        view=EngineView(state.runtime_status.name, asked_unix_ms),
        name=state.name or None,
        input=_value(state.serialized_input),
        output=_value(state.serialized_output),
        failure=f"{failure.error_type}: {failure.message}" if failure else None,
    )


def _value(serialized: str | None) -> Any:
    if not serialized:
        return None
    try:
        return json.loads(serialized)
    except ValueError:
        return serialized
