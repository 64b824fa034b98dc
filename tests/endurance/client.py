"""Calls the sidecar as an app does that must not lose anything: again, until it is acknowledged."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from sidecar.protos import service_grpc
from sidecar.protos import service_pb2 as pb

_CALL_S = 12.0
_TOLD_S = 60.0
_WAITS_S = (0.02, 0.3, 2.0, _CALL_S)
_PAUSE_S = 0.05
Look = Callable[[], Awaitable[bool]]
_UNKNOWN = "no such instance exists"
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 30),
    ("grpc.min_reconnect_backoff_ms", 30),
    ("grpc.max_reconnect_backoff_ms", 100),
)


class LostError(Exception):
    """What had been acknowledged is no longer known."""


class Client:
    """A client of one sidecar; `errors` counts what was answered instead of an acknowledgement."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._stub: Any = service_grpc.TaskHubSidecarServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self.errors: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def start(self, workflow: str, instance: str, asked: str) -> bool:
        """Try to start an instance, once; false leaves open whether it has been started."""
        request = pb.CreateInstanceRequest(
            name=workflow, instanceId=instance, input=StringValue(value=asked)
        )
        return await self._once(self._stub.StartInstance, request) is not None

    async def get(self, instance: str) -> Any | None:
        """Return the state of an instance; None when there is none."""
        request = pb.GetInstanceRequest(instanceId=instance, getInputsAndOutputs=True)
        answer = await self._acknowledged(self._stub.GetInstance, request)
        return answer.workflowState if answer.exists else None

    async def begun(self, instance: str) -> None:
        """Wait until the first turn of an instance has been taken."""
        request = pb.GetInstanceRequest(instanceId=instance)
        await self._acknowledged(self._stub.WaitForInstanceStart, request)

    async def ended(self, instance: str) -> Any:
        """Return the state of an instance that has been acknowledged, once it has ended.

        Gives up now and then, soon or late, and waits anew. LostError when the sidecar no longer
        knows it.
        """
        request = pb.GetInstanceRequest(instanceId=instance, getInputsAndOutputs=True)
        rng = random.Random(instance)  # noqa: S311 - to be run again, not to be secret
        while True:
            timeout_s = rng.choice(_WAITS_S)
            answer = await self._once(self._stub.WaitForInstanceCompletion, request, timeout_s)
            if answer is not None:
                return answer.workflowState
            if await self.get(instance) is None:
                raise LostError(f"{instance} was acknowledged, and is not known")

    async def told(self, instance: str) -> Any:
        """Return the state of an instance once it has ended, as who waits in one call is told."""
        request = pb.GetInstanceRequest(instanceId=instance, getInputsAndOutputs=True)
        answer = await self._stub.WaitForInstanceCompletion(request, timeout=_TOLD_S)
        return answer.workflowState

    async def raise_event(self, instance: str, name: str, value: str) -> None:
        """Raise an event until that is acknowledged; so it may be there twice."""
        payload = StringValue(value=value)
        request = pb.RaiseEventRequest(instanceId=instance, name=name, input=payload)
        await self._acknowledged(self._stub.RaiseEvent, request)

    async def suspend(self, instance: str, is_done: Look) -> None:
        """Suspend an instance exactly once: the SDK hangs on a second time."""
        request = pb.SuspendRequest(instanceId=instance)
        await self._exactly_once(self._stub.SuspendInstance, request, is_done)

    async def resume(self, instance: str, is_done: Look) -> None:
        """Resume an instance exactly once: the SDK fails the workflow on a second time."""
        request = pb.ResumeRequest(instanceId=instance)
        await self._exactly_once(self._stub.ResumeInstance, request, is_done)

    async def terminate(self, instance: str, output: str) -> None:
        """Terminate an instance."""
        payload = StringValue(value=output)
        request = pb.TerminateRequest(instanceId=instance, output=payload, recursive=True)
        await self._acknowledged(self._stub.TerminateInstance, request)

    async def rerun(self, source: str, instance: str, event_id: int) -> bool:
        """Try to make an instance from the history of another one, once; false when refused."""
        request = pb.RerunWorkflowFromEventRequest(
            sourceInstanceID=source, newInstanceID=instance, eventID=event_id
        )
        return await self._once(self._stub.RerunWorkflowFromEvent, request) is not None

    async def purge(self, instance: str) -> None:
        """Purge an instance with its children, though an attempt that was cut off got half way."""
        recursive = True
        while True:
            request = pb.PurgeInstancesRequest(instanceId=instance, recursive=recursive)
            try:
                await self._stub.PurgeInstances(request, timeout=_CALL_S)
            except grpc.aio.AioRpcError as error:
                await self._note(error)
                text = error.details() or ""
                if _UNKNOWN not in text:
                    continue
                if await self.get(instance) is None:
                    return
                # A child is gone already, where 1.16.1 stops.
                recursive = False
            else:
                return

    async def _exactly_once(self, call: Any, request: Any, is_done: Look) -> None:
        while await self._once(call, request) is None:
            # Whoever took the call has ended by the time that the next one answers.
            await self.get(request.instanceId)
            if await is_done():
                return

    async def _acknowledged(self, call: Any, request: Any) -> Any:
        while (answer := await self._once(call, request)) is None:
            continue
        return answer

    async def _once(self, call: Any, request: Any, timeout_s: float = _CALL_S) -> Any | None:
        try:
            return await call(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.details() == _UNKNOWN or (error.details() or "").endswith(f": {_UNKNOWN}"):
                raise LostError(f"{request.instanceId}: {error.details()}") from None
            await self._note(error)
            return None

    async def _note(self, error: grpc.aio.AioRpcError) -> None:
        text = (error.details() or "")[:60]
        self.errors[f"{error.code().name} {text.partition('ipv4')[0]}".strip()] += 1
        await asyncio.sleep(_PAUSE_S)
