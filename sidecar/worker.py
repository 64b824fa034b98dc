"""One app worker's stream of work items, and what the worker has in hand."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from sidecar.protos import service_pb2

_QUEUE_LENGTH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A turn or an activity that a worker has been given and has not answered.

    Attributes:
        instance_id: Of the workflow.
        task_id: Of the activity; None for a turn.
        name: Of the activity; empty for a turn.
        execution_id: The activity's execution id, the same in every execution; empty for a turn.
        execution: Counts the executions of this activity since the sidecar began, from 1.
        since_s: When it was handed out, on the monotonic clock.
    """

    instance_id: str
    task_id: int | None = None
    name: str = ""
    execution_id: str = ""
    execution: int = 1
    since_s: float = field(default_factory=time.monotonic)


class Worker:
    """One stream.

    Attributes:
        number: Counts the streams since the sidecar began, from 1.
        in_hand: What the worker is to answer.
        has_gone: Its stream has ended.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.queue: asyncio.Queue[service_pb2.WorkItem | None] = asyncio.Queue(_QUEUE_LENGTH)
        self.in_hand: dict[asyncio.Future[Any], Work] = {}
        self.has_gone = False
        self._flows = asyncio.Event()
        self._flows.set()

    async def items(self) -> AsyncIterator[service_pb2.WorkItem]:
        """Yield the items for this worker until it is disconnected."""
        while (item := await self.queue.get()) is not None:
            while not self._flows.is_set():
                # It may be held anew by the time that it wakes.
                await self._flows.wait()
            if self.has_gone:
                return
            yield item

    @property
    def is_held(self) -> bool:
        """Tell whether its items are held back."""
        return not self._flows.is_set()

    def hold(self) -> None:
        """Hold back the items from now on, in their order."""
        if not self.has_gone:
            self._flows.clear()

    def release(self) -> None:
        """Let the items flow again."""
        self._flows.set()

    def end(self) -> None:
        """End the stream; frees those that wait for room in its queue."""
        self.has_gone = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)
        self.release()
