"""Suspends and resumes workflows, and never either of them twice.

The SDK's worker survives neither: after a second suspend it loops for ever at the next resume, and
a resume of what is not suspended fails the workflow. So each is sent only where the engine's status
asks for it, one at a time for each instance, and the next one waits until the engine shows the
effect. That holds for this process: what another client sends in the same moment can't be seen.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from workflow_app.engine import Engine
from workflow_app.errors import (
    EngineTimeoutError,
    EngineUnreachableError,
    InstanceNotSuspendedError,
    InstanceSuspendedError,
    InstanceUnclearError,
)
from workflow_app.instances import ENDED

RUNNING: Final = "RUNNING"
SUSPENDED: Final = "SUSPENDED"

REMEMBERED_S: Final = 60.0
"""So long what was sent may take effect. It does so in the next turn, which needs a worker."""

LOOK_INTERVAL_S: Final = 0.05
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent and has shown no effect yet: the status it leads to, and until when."""

    status: str
    until_s: float


class Suspender:
    """Suspends and resumes.

    Args:
        engine: The workflow engine.
        confirm_s: Longest wait for the effect of what was sent.
    """

    def __init__(self, engine: Engine, *, confirm_s: float) -> None:
        self._engine = engine
        self._confirm_s = confirm_s
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._sent: OrderedDict[str, _Sent] = OrderedDict()

    async def suspend(self, instance_id: str) -> bool:
        """Suspend a running workflow; false when the engine has not shown it within the time.

        Raises:
            InstanceSuspendedError: It is suspended.
            InstanceUnclearError: It can't be told whether it is.
            WorkflowAppError: As `EngineRecord.open_status`, also when it ends meanwhile, and as
                `Engine.suspend`.
        """
        async with self._lock(instance_id):
            status = await self._settled_status(instance_id)
            if status == SUSPENDED:
                raise InstanceSuspendedError(
                    f"workflow {instance_id!r} is suspended; a second suspend would make the SDK's "
                    "worker loop for ever once it is resumed"
                )
            if status != RUNNING:
                raise InstanceUnclearError(
                    f"the engine says that workflow {instance_id!r} is {status}, "
                    "which does not tell whether it is suspended"
                )
            return await self._send(self._engine.suspend, instance_id, SUSPENDED)

    async def resume(self, instance_id: str) -> bool:
        """Resume a suspended workflow; false when the engine has not shown it within the time.

        Raises:
            InstanceNotSuspendedError: It is not suspended.
            InstanceUnclearError: It can't be told whether it is.
            WorkflowAppError: As `EngineRecord.open_status` and `Engine.resume`.
        """
        async with self._lock(instance_id):
            status = await self._settled_status(instance_id)
            if status != SUSPENDED:
                raise InstanceNotSuspendedError(
                    f"workflow {instance_id!r} is {status}; "
                    "a resume of what is not suspended would make the SDK fail it"
                )
            return await self._send(self._engine.resume, instance_id, RUNNING)

    def _lock(self, instance_id: str) -> asyncio.Lock:
        return self._locks.setdefault(instance_id, asyncio.Lock())

    async def _settled_status(self, instance_id: str) -> str:
        """Return the status, unless what was sent before may still change it."""
        status = await self._status(instance_id)
        sent = self._sent.get(instance_id)
        if sent is None:
            return status
        left_s = sent.until_s - time.monotonic()
        if status != sent.status and left_s > 0:
            raise InstanceUnclearError(
                f"workflow {instance_id!r} is to become {sent.status} and is still {status}; "
                f"try again once it is, or in {left_s:.0f} s"
            )
        del self._sent[instance_id]
        return status

    async def _status(self, instance_id: str) -> str:
        record = await self._engine.record(instance_id, payloads=False)
        return record.open_status(instance_id)

    async def _send(
        self, send: Callable[[str], Awaitable[None]], instance_id: str, status: str
    ) -> bool:
        try:
            await send(instance_id)
        except EngineTimeoutError:
            # Answered after the turn that takes it up, and there may be no worker to take turns.
            self._remember(instance_id, status)
            return await self._has_become(instance_id, status)
        except EngineUnreachableError:
            # It may have arrived all the same.
            self._remember(instance_id, status)
            raise
        self._remember(instance_id, status)
        return await self._has_become(instance_id, status)

    def _remember(self, instance_id: str, status: str) -> None:
        self._sent[instance_id] = _Sent(status, time.monotonic() + REMEMBERED_S)
        if len(self._sent) > _MOST_REMEMBERED:
            self._sent.popitem(last=False)

    async def _has_become(self, instance_id: str, status: str) -> bool:
        deadline_s = time.monotonic() + self._confirm_s
        while time.monotonic() < deadline_s:
            record = await self._engine.record(instance_id, payloads=False)
            has_ended = record.view.status in ENDED
            if record.view.status == status or has_ended:
                del self._sent[instance_id]
                if has_ended and status == SUSPENDED:
                    record.open_status(instance_id)
                return True
            await asyncio.sleep(LOOK_INTERVAL_S)
        return False
