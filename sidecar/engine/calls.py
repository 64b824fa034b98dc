"""What clients can ask of workflows, whichever wire they come by.

What changes state runs on when its caller goes away. Refusals are the engine's errors; each wire
puts them into its own words.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from google.protobuf.wrappers_pb2 import StringValue

from sidecar.engine import rerun
from sidecar.engine.actors import Engine
from sidecar.engine.instance import Instance, completion, runtime_status
from sidecar.errors import RefusedError
from sidecar.protos import (
    ORCHESTRATION_STATUS_PENDING,
    ORCHESTRATION_STATUS_RUNNING,
    ORCHESTRATION_STATUS_SUSPENDED,
    HistoryEvent,
    service_pb2,
)
from sidecar.stores.workflows import InstancePage, WorkflowStore

_Result = TypeVar("_Result")
Reached = Callable[[Instance], bool]


class WorkflowCalls:
    """The calls of clients; every method may raise SidecarError.

    Args:
        engine: Carries them out.
        store: Knows all instances.
    """

    def __init__(self, engine: Engine, store: WorkflowStore) -> None:
        self._engine = engine
        self._store = store

    async def start(self, request: service_pb2.CreateInstanceRequest) -> None:
        """Start an instance.

        Only name, id, input and start time count: Dapr's source takes up neither tags nor version
        nor execution id, which was not recorded.
        """
        taken = service_pb2.CreateInstanceRequest(name=request.name, instanceId=request.instanceId)
        for field in ("input", "scheduledStartTimestamp"):
            if request.HasField(field):
                getattr(taken, field).CopyFrom(getattr(request, field))
        await _to_the_end(self._engine.start(taken))

    async def raise_event(self, instance_id: str, name: str, data: StringValue | None) -> None:
        """Give an instance an external event."""
        raised: dict[str, object] = {"name": name}
        if data is not None:
            raised["input"] = data
        await self._event(instance_id, eventRaised=raised)

    async def terminate(
        self, instance_id: str, output: StringValue | None, *, recursive: bool
    ) -> None:
        """Have an instance end as TERMINATED, with its descendants where `recursive`."""
        ending: dict[str, object] = {"recurse": recursive}
        if output is not None:
            ending["input"] = output
        await self._event(instance_id, executionTerminated=ending)

    async def suspend(self, instance_id: str, reason: StringValue | None = None) -> None:
        """Have an instance pause."""
        paused = {} if reason is None or not reason.value else {"input": reason}
        await self._event(instance_id, executionSuspended=paused)

    async def resume(self, instance_id: str, reason: StringValue | None = None) -> None:
        """Have a paused instance go on."""
        resumed = {} if reason is None or not reason.value else {"input": reason}
        await self._event(instance_id, executionResumed=resumed)

    async def purge(self, instance_id: str, *, recursive: bool, force: bool) -> int:
        """Delete an instance that has ended; return how many were deleted with it."""
        return await _to_the_end(self._engine.purge(instance_id, recursive=recursive, force=force))

    async def stored(self, instance_id: str) -> Instance | None:
        """Return an instance as the store has it."""
        return await self._engine.stored(instance_id)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        """Return the stored history (the refusal of an unknown id is from Dapr's source)."""
        state = await self._engine.stored(instance_id)
        if state is None:
            raise RefusedError("NOT_FOUND", f"workflow instance '{instance_id}' not found")
        return state.history

    async def instance_ids(self, page_size: int, token: str) -> InstancePage:
        """Return one page of the ids of all instances."""
        return await self._store.instance_ids(page_size, token)

    async def rerun(self, request: service_pb2.RerunWorkflowFromEventRequest) -> str:
        """Run a new instance from an event of another's history; return the new one's id."""
        asked = rerun.parse(request, new_id)
        source = await self._engine.stored(asked.source_id)
        forked = rerun.fork(asked, source, time.time_ns())
        await _to_the_end(self._engine.adopt(asked.new_id, forked))
        return asked.new_id

    async def wait(self, instance_id: str, reached: Reached) -> Instance:
        """Return the state as soon as it has come so far; waits without end."""
        return await self._engine.wait(instance_id, reached)

    async def _event(self, instance_id: str, **kind: object) -> None:
        await _to_the_end(self._engine.add_event(instance_id, **kind))


def new_id() -> str:
    """Return an id for an instance whose caller named none."""
    return str(uuid.uuid4())


def has_started(state: Instance) -> bool:
    """Tell whether the first turn has been taken."""
    return bool(runtime_status(state.history) != ORCHESTRATION_STATUS_PENDING)


def has_ended(state: Instance) -> bool:
    """Tell whether the instance is in a final status."""
    return completion(state.history) is not None


def is_suspended(state: Instance) -> bool:
    """Tell whether the instance is paused, or has ended."""
    return has_ended(state) or bool(runtime_status(state.history) == ORCHESTRATION_STATUS_SUSPENDED)


def is_running(state: Instance) -> bool:
    """Tell whether the instance goes on, or has ended."""
    return has_ended(state) or bool(runtime_status(state.history) == ORCHESTRATION_STATUS_RUNNING)


async def _to_the_end(work: Coroutine[Any, Any, _Result]) -> _Result:
    return await asyncio.shield(asyncio.create_task(work))
