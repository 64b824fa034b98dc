"""The connected app workers: hands them work items in turn, and matches their answers.

An answer to an activity is matched by instance and task, as Dapr does; it says nothing of which
execution it answers. An answer to a turn is matched by instance, and by the turn's completion token
where the app sends that back. An item whose worker goes away fails with ExecutionAbortedError.
Streams can be dropped, kept out and held back on purpose, which is what sidecar.faults does.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from sidecar.errors import ExecutionAbortedError, ExecutionCancelledError
from sidecar.pending import Pending
from sidecar.protos import service_pb2
from sidecar.worker import Work, Worker

_LOG = structlog.get_logger(scope="dapr.wfengine.backend.actors")
_ENGINE = structlog.get_logger(scope="dapr.runtime.wfengine")
_MOST_COUNTED = 10_000
_TOKEN_BYTES = 8
_Answer = TypeVar("_Answer")


class _Executions:
    """Counts the executions of each activity; forgets those that began longest ago."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, int, str], int] = OrderedDict()

    def began(self, key: tuple[str, int, str]) -> int:
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > _MOST_COUNTED:
            self._counts.popitem(last=False)
        return count


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held back.

    Attributes:
        number: Of the one worker whose items are; None for all workers.
        answers: The apps' answers are as well.
        on_held: Called for each item and answer that is.
    """

    number: int | None
    answers: bool
    on_held: Callable[[], None]


class Workers:
    """All streams of work items.

    Args:
        on_presence: Called when the first worker has connected, and when the last has gone.
    """

    def __init__(self, on_presence: Callable[[], None]) -> None:
        self._on_presence = on_presence
        self._workers: list[Worker] = []
        self._outside: list[Worker] = []
        self._next = 0
        self._streams = 0
        self._turns: Pending[str, service_pb2.WorkflowResponse] = Pending()
        self._tokens: dict[str, str] = {}
        self._activities: Pending[tuple[str, int], service_pb2.ActivityResponse] = Pending()
        self._executions = _Executions()
        self._closing = False
        self._admitting = True
        self._hold: Hold | None = None
        self._flows = asyncio.Event()
        self._flows.set()

    @property
    def connected(self) -> int:
        """Return how many workers are connected."""
        return len(self._workers)

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the connected workers' streams, oldest first."""
        return [each.number for each in self._workers]

    def in_flight(self) -> Iterator[Work]:
        """Iterate over what the workers have in hand."""
        for worker in self._workers:
            yield from worker.in_hand.values()

    def connect(self) -> Worker:
        """Take in a worker; once the sidecar closes, its stream ends at once."""
        self._streams += 1
        worker = Worker(self._streams)
        if self._closing:
            worker.end()
        elif self._admitting:
            self._take_in(worker)
        else:
            self._outside.append(worker)
        return worker

    def disconnect(self, worker: Worker) -> None:
        """End a worker's stream; what it had in hand fails. A second time does nothing."""
        if worker in self._outside:
            self._outside.remove(worker)
            worker.end()
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        for future, work in list(worker.in_hand.items()):
            _abort(future, work)
        worker.end()
        if not self._workers:
            self._on_presence()

    def close(self) -> None:
        """End all streams, and those that are still to come."""
        self._closing = True
        self.release()
        for worker in [*self._workers, *self._outside]:
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
            return await self._run(item, future, Work(instance_id=request.instanceId))
        finally:
            self._turns.remove(request.instanceId, future)
            if self._tokens.get(request.instanceId) == token:
                del self._tokens[request.instanceId]

    async def run_activity(
        self, request: service_pb2.ActivityRequest
    ) -> service_pb2.ActivityResponse:
        """Have a worker run an activity; raises like `run_turn`."""
        key = (request.workflowInstance.instanceId, request.taskId)
        item = service_pb2.WorkItem(activityRequest=request)
        future = self._activities.add(key)
        work = Work(
            instance_id=request.workflowInstance.instanceId,
            task_id=request.taskId,
            name=request.name,
            execution_id=request.taskExecutionId,
            execution=self._executions.began((*key, request.taskExecutionId)),
        )
        try:
            return await self._run(item, future, work)
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

    async def answers_flow(self) -> None:
        """Wait while answers are held back; to be called before an answer is matched."""
        while self._hold is not None and self._hold.answers and not self._flows.is_set():
            self._hold.on_held()
            # Another hold may have taken the place of this one by the time that it wakes.
            await self._flows.wait()

    def drop(self, number: int | None) -> int:
        """End the stream of one worker, or of all; return how many."""
        dropped = [each for each in self._workers if number in (None, each.number)]
        for each in dropped:
            self.disconnect(each)
        return len(dropped)

    def keep_out(self) -> None:
        """Keep out the streams that are opened from now on: they stay open, and get nothing."""
        self._admitting = False

    def admit(self) -> None:
        """Take in the streams that were kept out, and those to come."""
        self._admitting = True
        outside, self._outside = self._outside, []
        for each in outside:
            self._take_in(each)

    def hold(self, hold: Hold) -> None:
        """Hold back items, and answers where it says so; takes the place of an earlier hold."""
        self.release()
        self._hold = hold
        self._flows.clear()
        for each in self._workers:
            self._apply_hold(each)

    def release(self) -> None:
        """Let flow what was held back."""
        self._hold = None
        self._flows.set()
        for each in self._workers:
            each.release()

    def cancel(self, instance_id: str | None, *, activities: bool) -> int:
        """Give up the turns of an instance, or of all, and the activities; return how many."""
        found = [
            (future, work)
            for worker in self._workers
            for future, work in worker.in_hand.items()
            if instance_id in (None, work.instance_id) and not future.done()
        ]
        if not activities:
            found = [(future, work) for future, work in found if work.task_id is None]
        for future, work in found:
            _cancel(future, work)
        return len(found)

    def _take_in(self, worker: Worker) -> None:
        self._workers.append(worker)
        self._apply_hold(worker)
        if len(self._workers) == 1:
            self._on_presence()

    def _apply_hold(self, worker: Worker) -> None:
        if self._hold is not None and self._hold.number in (None, worker.number):
            worker.hold()

    async def _run(
        self, item: service_pb2.WorkItem, future: asyncio.Future[_Answer], work: Work
    ) -> _Answer:
        if not self._workers:
            raise ExecutionAbortedError
        self._next = (self._next + 1) % len(self._workers)
        worker = self._workers[self._next]
        worker.in_hand[future] = work
        if self._hold is not None and worker.is_held:
            self._hold.on_held()
        try:
            await worker.queue.put(item)
            return await future
        finally:
            worker.in_hand.pop(future, None)


def _abort(future: asyncio.Future[Any], work: Work) -> None:
    if future.done():
        return
    if work.task_id is not None:
        _LOG.warning(f"{work.instance_id}: aborting activity execution (::{work.task_id})")
    future.set_exception(ExecutionAbortedError())


def _cancel(future: asyncio.Future[Any], work: Work) -> None:
    if work.task_id is not None:
        task = f"{work.instance_id}/{work.name}#{work.task_id}"
        _ENGINE.warning(f"{task}: failed before receiving activity result")
    future.set_exception(ExecutionCancelledError())
