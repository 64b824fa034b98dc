"""The workflow engine: the actors of all instances, and what callers and reminders ask of them."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from sidecar.engine import events, turn
from sidecar.engine.activities import Activities
from sidecar.engine.instance import Instance, completion
from sidecar.engine.surroundings import Reminder, Surroundings
from sidecar.engine.waiters import Waiters
from sidecar.engine.workflow import WorkflowActor
from sidecar.errors import (
    ChildNotPurgedError,
    ExecutionCancelledError,
    InstanceNotFoundError,
    NotCompletedError,
    SidecarError,
    UnfetchedError,
    WorkflowError,
)
from sidecar.metrics import Metrics, counted
from sidecar.names import AppNames
from sidecar.profiles import Profile
from sidecar.protos import HistoryEvent, service_pb2
from sidecar.reminders.jobs import AT_ONCE, Jobs, due_at
from sidecar.reminders.watch import DueJob
from sidecar.stores.workflows import WorkflowStore
from sidecar.workers import Workers

_LOG = structlog.get_logger(scope="dapr.runtime.scheduler.cluster")
# Dapr's default for actors that nobody calls.
_IDLE_S = 3600.0
_SWEEP_S = 60.0


class Engine:
    """All workflows of one app.

    Args:
        names: Of the app.
        profile: The Dapr to behave like.
        store: Keeps the state.
        jobs: Keeps the reminders.
        workers: Run turns and activities.
        metrics: Count what happens.
    """

    def __init__(
        self,
        names: AppNames,
        profile: Profile,
        store: WorkflowStore,
        jobs: Jobs,
        workers: Workers,
        *,
        metrics: Metrics,
    ) -> None:
        self._names = names
        self.metrics = metrics
        self._profile = profile
        self._store = store
        self._jobs = jobs
        self._waiters = Waiters()
        self._actors: dict[str, WorkflowActor] = {}
        self._around = Surroundings(
            profile=profile,
            rules=turn.Rules(
                app_id=names.app_id,
                timer_origin_recorded=profile.timer_origin_recorded,
                parent_execution_told=profile.parent_execution_told,
                versions_kept=profile.versions_kept,
                propagation_exists=profile.propagation_exists,
                new_id=lambda: str(uuid.uuid4()),
            ),
            store=store,
            jobs=jobs,
            workers=workers,
            waiters=self._waiters,
            metrics=metrics,
            clock_ns=time.time_ns,
        )
        self._activities = Activities(
            app_id=names.app_id,
            profile=profile,
            workers=workers,
            jobs=jobs,
            deliver=self._deliver,
            metrics=metrics,
            clock_ns=time.time_ns,
        )

    @property
    def active(self) -> int:
        """Return how many instances are in memory."""
        return len(self._actors)

    def remembered(self) -> dict[str, Instance]:
        """Return the instances whose state is in memory, by id."""
        actors = self._actors.values()
        return {each.instance_id: each.remembered for each in actors if each.remembered is not None}

    def forget(self, instance_id: str | None = None) -> int:
        """Lose the memory of an instance, or all, as a sidecar that no longer hosts the actors.

        Return how many were in memory.
        """
        known = self.remembered()
        for actor in list(self._actors.values()):
            if instance_id in (None, actor.instance_id):
                actor.forget()
                if not actor.visits:
                    del self._actors[actor.instance_id]
        return len(known) - len(self.remembered())

    async def sweep(self) -> None:
        """Let go of what has been idle for an hour; runs until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            oldest = time.monotonic() - _IDLE_S
            for instance_id, actor in list(self._actors.items()):
                if not actor.visits and actor.last_visit_s < oldest:
                    del self._actors[instance_id]

    @counted("create_workflow")
    async def start(self, request: service_pb2.CreateInstanceRequest) -> None:
        """Create an instance; InstanceActiveError when its id is in use."""
        body: dict[str, object] = {
            "name": request.name,
            "workflowInstance": {
                "instanceId": request.instanceId,
                "executionId": {"value": request.executionId.value or str(uuid.uuid4())},
            },
        }
        if request.HasField("input"):
            body["input"] = request.input
        if request.version.value:
            body["version"] = request.version
        if request.tags:
            body["tags"] = dict(request.tags)
        due = AT_ONCE
        if request.HasField("scheduledStartTimestamp"):
            body["scheduledStartTimestamp"] = request.scheduledStartTimestamp
            cut = self._profile.due_times_cut_to_second
            due = due_at(request.scheduledStartTimestamp, cut_to_second=cut)
        started = events.event(time.time_ns(), router=self._names.app_id, executionStarted=body)
        async with self._visit(request.instanceId) as actor:
            await actor.create(started, due)

    @counted("add_event")
    async def add_event(self, instance_id: str, **kind: Any) -> None:
        """Give an instance an event from a client; InstanceNotFoundError when there is none."""
        async with self._visit(instance_id) as actor:
            await actor.add_event(events.event(time.time_ns(), **kind))

    async def adopt(self, instance_id: str, outcome: turn.Outcome) -> None:
        """Create an instance that has a history; RefusedError when there is one of that id."""
        async with self._visit(instance_id) as actor:
            await actor.adopt(outcome)

    async def stored(self, instance_id: str) -> Instance | None:
        """Return an instance as the store has it, whatever memory says."""
        return await self._store.load(instance_id)

    async def wait(self, instance_id: str, reached: Callable[[Instance], bool]) -> Instance:
        """Return the instance's state as soon as it has come so far; waits without end."""
        with self._waiters.waiting(instance_id) as waiter:
            actor = self._actors.get(instance_id)
            state = actor.remembered if actor is not None else None
            state = state or await self._store.load(instance_id)
            while state is None or not reached(state):
                state = await waiter.next()
            return state

    @counted("purge_workflow")
    async def purge(self, instance_id: str, *, recursive: bool, force: bool) -> int:
        """Delete an instance that has ended, its children first; return how many were deleted.

        Raises:
            InstanceNotFoundError, NotCompletedError, UnfetchedError, ChildNotPurgedError: the
                instance is left as it was.
        """
        deleted = 0
        if recursive:
            of_open = force and self._profile.recursive_purge_forced
            for child in await self._children(instance_id, of_open=of_open):
                deleted += await self._purge_child(child, force=force)
        async with self._visit(instance_id) as actor:
            await actor.purge(force=force)
        return deleted + 1

    async def handle(self, job: DueJob) -> bool:
        """Run one due job; false asks the scheduler to try again a second later."""
        try:
            if job.actor_type == self._names.activity_type:
                return await self._activities.run(job.actor_id, job.data)
            async with self._visit(job.actor_id) as actor:
                await actor.run(Reminder(job.name, job.data))
        except ExecutionCancelledError:
            return False
        except SidecarError as error:
            _LOG.error(
                f"failed to invoke scheduled actor reminder named: {job.name} due to: {error}"
            )
            return False
        except Exception:  # noqa: BLE001 - one job's fault must not end the stream of all jobs
            _LOG.exception("a job failed unexpectedly", job=job.name, actor=job.actor_id)
            return False
        return True

    async def _deliver(
        self, instance_id: str, result: HistoryEvent, scheduled: HistoryEvent, generation: int
    ) -> bool:
        async with self._visit(instance_id) as actor:
            return await actor.add_event(
                result,
                scheduled=scheduled,
                generation=generation,
                reminder=self._profile.result_reminder,
            )

    async def _purge_child(self, instance_id: str, *, force: bool) -> int:
        try:
            return await self.purge(instance_id, recursive=True, force=force)
        except UnfetchedError as error:
            if error.is_missing and self._profile.purge_skips_missing_child:
                return 0
            raise ChildNotPurgedError(self._profile.child_noun, error) from None
        except WorkflowError as error:
            raise ChildNotPurgedError(self._profile.child_noun, error) from None

    async def _children(self, instance_id: str, *, of_open: bool) -> list[str]:
        """Return the ids of the children of an instance that has ended, or `of_open` ones too."""
        try:
            state = await self._store.load(instance_id)
            if state is None:
                raise InstanceNotFoundError
        except SidecarError as error:
            raise UnfetchedError(self._profile.workflow_noun, error) from None
        if not of_open and completion(state.history) is None:
            raise NotCompletedError
        created = (each.childWorkflowInstanceCreated.instanceId for each in state.history)
        return [child for child in dict.fromkeys(created) if child]

    @asynccontextmanager
    async def _visit(self, instance_id: str) -> AsyncIterator[WorkflowActor]:
        actor = self._actors.get(instance_id)
        if actor is None:
            actor = self._actors[instance_id] = WorkflowActor(instance_id, self._around)
        actor.visits += 1
        try:
            async with actor.lock:
                yield actor
        finally:
            actor.visits -= 1
            actor.last_visit_s = time.monotonic()
            if not actor.visits and actor.finished:
                self._actors.pop(instance_id, None)
