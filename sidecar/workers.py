"""The connected app workers: hands them work items in turn, and matches their answers.

An answer to an activity is matched by instance and task, as Dapr does; it says nothing of which
execution it answers. An answer to a turn is matched by instance, and by the turn's completion token
where the app sends that back. An item whose worker goes away fails with ExecutionAbortedError.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any, Generic, TypeVar

import structlog

from sidecar.errors import ExecutionAbortedError
from sidecar.protos import service_pb2

_LOG = structlog.get_logger(scope="dapr.wfengine.backend.actors")
_QUEUE_LENGTH = 1000
_TOKEN_BYTES = 8
_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


class Worker:
    """One app worker's stream of work items."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[service_pb2.WorkItem | None] = asyncio.Queue(_QUEUE_LENGTH)
        self.in_hand: dict[asyncio.Future[Any], Callable[[], None]] = {}

    async def items(self) -> AsyncIterator[service_pb2.WorkItem]:
        """Yield the items for this worker until it is disconnected."""
        while (item := await self.queue.get()) is not None:
            yield item


class _Pending(Generic[_Key, _Answer]):
    """Items that wait for their answer, oldest first for each key; the newest is answered first.

    In Dapr a newer item takes the older one's place, which then waits for ever.
    """

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[asyncio.Future[_Answer]]] = {}

    def add(self, key: _Key) -> asyncio.Future[_Answer]:
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        return future

    def remove(self, key: _Key, future: asyncio.Future[_Answer]) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[key]

    def answer(self, key: _Key, answer: _Answer) -> bool:
        for future in reversed(self._waiting.get(key, ())):
            if not future.done():
                future.set_result(answer)
                self.remove(key, future)
                return True
        return False


class Workers:
    """All streams of work items.

    Args:
        on_presence: Called when the first worker has connected, and when the last has gone.
    """

    def __init__(self, on_presence: Callable[[], None]) -> None:
        self._on_presence = on_presence
        self._workers: list[Worker] = []
        self._next = 0
        self._turns: _Pending[str, service_pb2.WorkflowResponse] = _Pending()
        self._tokens: dict[str, str] = {}
        self._activities: _Pending[tuple[str, int], service_pb2.ActivityResponse] = _Pending()
        self._closing = False

    @property
    def connected(self) -> int:
        """Return how many workers are connected."""
        return len(self._workers)

    def connect(self) -> Worker:
        """Take in a worker; once the sidecar closes, its stream ends at once."""
        worker = Worker()
        if self._closing:
            worker.queue.put_nowait(None)
            return worker
        self._workers.append(worker)
        if len(self._workers) == 1:
            self._on_presence()
        return worker

    def disconnect(self, worker: Worker) -> None:
        """End a worker's stream; what it had in hand fails. A second time does nothing."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        for future, on_abort in list(worker.in_hand.items()):
            if not future.done():
                on_abort()
                future.set_exception(ExecutionAbortedError())
        # Frees those that wait for room in its queue.
        while not worker.queue.empty():
            worker.queue.get_nowait()
        worker.queue.put_nowait(None)
        if not self._workers:
            self._on_presence()

    def close(self) -> None:
        """End all streams, and those that are still to come."""
        self._closing = True
        for worker in list(self._workers):
            self.disconnect(worker)

    async def run_turn(self, request: service_pb2.WorkflowRequest) -> service_pb2.WorkflowResponse:
        """Have a worker take a turn.

        Raises:
            ExecutionAbortedError: the worker went away first.
        """
        token = self._tokens[request.instanceId] = secrets.token_hex(_TOKEN_BYTES)
        item = service_pb2.WorkItem(workflowRequest=request, completionToken=token)
        future = self._turns.add(request.instanceId)
        try:
            return await self._run(item, future, lambda: None)
        finally:
            self._turns.remove(request.instanceId, future)
            if self._tokens.get(request.instanceId) == token:
                del self._tokens[request.instanceId]

    async def run_activity(
        self, request: service_pb2.ActivityRequest
    ) -> service_pb2.ActivityResponse:
        """Have a worker run an activity; raises like `run_turn`."""
        instance_id = request.workflowInstance.instanceId
        key = (instance_id, request.taskId)
        item = service_pb2.WorkItem(activityRequest=request)
        future = self._activities.add(key)

        def log() -> None:
            _LOG.warning(f"{instance_id}: aborting activity execution (::{request.taskId})")

        try:
            return await self._run(item, future, log)
        finally:
            self._activities.remove(key, future)

    def turn_done(self, response: service_pb2.WorkflowResponse) -> bool:
        """Take an answer to a turn; false when none is waited for.

        What answers an earlier turn, of this sidecar or of one before it, is dropped: it knows
        nothing of the events that the app has been asked about since.
        """
        token = self._tokens.get(response.instanceId)
        if token is not None and response.completionToken not in ("", token):
            _LOG.warning(f"{response.instanceId}: answer to an earlier turn dropped")
            return True
        return self._turns.answer(response.instanceId, response)

    def activity_done(self, response: service_pb2.ActivityResponse) -> bool:
        """Take an answer to an activity; false when none is waited for."""
        return self._activities.answer((response.instanceId, response.taskId), response)

    async def _run(
        self,
        item: service_pb2.WorkItem,
        future: asyncio.Future[_Answer],
        on_abort: Callable[[], None],
    ) -> _Answer:
        if not self._workers:
            raise ExecutionAbortedError
        self._next = (self._next + 1) % len(self._workers)
        worker = self._workers[self._next]
        worker.in_hand[future] = on_abort
        try:
            await worker.queue.put(item)
            return await future
        finally:
            worker.in_hand.pop(future, None)
