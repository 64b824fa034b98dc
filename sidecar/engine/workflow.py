"""The actor of one workflow instance: loads, remembers and saves its state, one turn at a time.

Its memory is what lets a workflow run on after its keys have expired. All methods are called with
the actor's lock held; what a method was told is durable when it returns. Order of writes: the
reminder before the inbox row that it announces, and the jobs that a turn decided before the history
that records them, so that a crash at any point repeats work and never loses it.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import NoReturn

import structlog

from sidecar.engine import events, starts, turn
from sidecar.engine.effects import carry_out
from sidecar.engine.instance import Instance, begun, completion
from sidecar.engine.surroundings import Reminder, Surroundings
from sidecar.errors import (
    ExecutionAbortedError,
    InstanceActiveError,
    InstanceNotFoundError,
    NotCompletedError,
    RefusedError,
    StalledError,
)
from sidecar.names import EVENT_JOB, START_JOB, TIMER_JOB
from sidecar.protos import HistoryEvent
from sidecar.reminders.jobs import carried_event, carried_timer

_LOG = structlog.get_logger(scope="dapr.runtime.actors.targets.orchestrator")
# As in Dapr's source.
_MOST_CONTINUATIONS = 20
_WAKEUP_TRUSTED_NS = 1_000_000_000
_BACKEND = structlog.get_logger(scope="dapr.wfengine.durabletask.backend")
_ACTORS = structlog.get_logger(scope="dapr.wfengine.backend.actors")


class WorkflowActor:
    """One instance; see the module for its promises."""

    def __init__(self, instance_id: str, around: Surroundings) -> None:
        self.instance_id = instance_id
        self.lock = asyncio.Lock()
        self.visits = 0
        self.last_visit_s = 0.0
        self._around = around
        self._state: Instance | None = None
        self._wakeups: dict[str, int] = {}
        self._epoch = 0

    @property
    def remembered(self) -> Instance | None:
        """Return the state in memory."""
        return self._state

    @property
    def finished(self) -> bool:
        """Tell whether nothing speaks for keeping the actor."""
        return self._state is None or completion(self._state.history) is not None

    def forget(self) -> None:
        """Lose the memory, as an actor that is moved or deactivated does."""
        self._state = None
        self._wakeups.clear()
        self._epoch += 1

    async def create(self, started: HistoryEvent, due: str) -> None:
        """Store a new instance and schedule its first turn; one that has ended is replaced.

        Raises:
            InstanceActiveError: the id is in use.
        """
        state = await self._load()
        if state is not None and completion(state.history) is None:
            raise InstanceActiveError(self.instance_id)
        await self._around.jobs.wake(self.instance_id, START_JOB, due=due)
        new = begun(started, state)
        await self._saving(self._around.store.save_new(self.instance_id, new), new)

    async def adopt(self, outcome: turn.Outcome) -> None:
        """Store a new instance with a history, then schedule its jobs, as Dapr's source does.

        The other way round, a failure between would leave activities without a workflow.

        Raises:
            RefusedError: there is an instance of that id.
        """
        if await self._load() is not None:
            text = f"workflow '{self.instance_id}' has already been created"
            raise RefusedError("ALREADY_EXISTS", text)
        state = outcome.state
        await self._saving(self._around.store.save_turn(self.instance_id, Instance(), state), state)
        await carry_out(self.instance_id, outcome, self._around.jobs)
        self._around.waiters.publish(self.instance_id, state)

    async def add_event(
        self,
        event: HistoryEvent,
        *,
        scheduled: HistoryEvent | None = None,
        generation: int | None = None,
        reminder: str = EVENT_JOB,
    ) -> bool:
        """Store an event in the inbox and schedule the turn that takes it up.

        What answers a task for the second time, a task of another generation, or a task that no
        saved turn has asked for, is dropped; so is what comes for a workflow that has ended.

        Returns false for an answer that no saved turn of this generation has asked for.

        Args:
            event: What has happened.
            scheduled: The activity whose result it is.
            generation: The one that asked for it.
            reminder: What the turn's job is called.

        Raises:
            InstanceNotFoundError: there is no such instance.
        """
        state = await self._load()
        if state is None:
            self._log_unknown()
            raise InstanceNotFoundError
        if completion(state.history) is not None:
            self._log_completed()
            return True
        if state.never_asked(event, scheduled) or generation not in (None, state.generation):
            _LOG.info("result that nothing stored asks for dropped", instance=self.instance_id)
            return False
        if state.knows(event):
            if state.inbox:
                await self._wake(reminder)
            return True
        new = state.with_event(event)
        await self._wake(reminder)
        await self._saving(self._around.store.save_event(self.instance_id, new), new)
        return True

    async def run(self, reminder: Reminder) -> None:
        """Take the turn that a reminder asks for; without state or news there is none to take.

        Raises:
            ExecutionAbortedError: the worker went away, or the workflow goes on and on as new.
            StalledError: the app is of the wrong version; the turn is still to be taken.
        """
        self._wakeups.pop(reminder.name, None)
        before = await self._prepare(reminder)
        if before is None:
            return
        state = self._with_reminder(before, reminder)
        ended = completion(state.history) is not None
        if ended or not state.inbox:
            # The turn may have been saved by an attempt that never heard so, and told nobody.
            self._around.waiters.publish(self.instance_id, before)
            if state.inbox:
                self._log_completed()
            return
        with self._around.metrics.turn(state):
            outcomes = await self._take(state)
            if outcomes[-1].is_stalled:
                await self._stall(before, outcomes)
            for outcome in outcomes:
                await carry_out(self.instance_id, outcome, self._around.jobs)
            after = _to_save(outcomes[-1])
            await self._saving(self._around.store.save_turn(self.instance_id, before, after), after)
        self._around.metrics.turn_saved(before, after)
        self._around.waiters.publish(self.instance_id, after)
        if after.inbox:
            # Goes on a second later, when the scheduler tries again.
            raise ExecutionAbortedError

    async def purge(self, *, force: bool) -> None:
        """Delete the instance's state and reminders.

        Raises:
            InstanceNotFoundError, NotCompletedError: nothing is deleted.
        """
        forced = force and self._around.profile.purge_force_supported
        if forced:
            _ACTORS.warning(
                f"Force purging workflow state of '{self.instance_id}'. This can cause corruption "
                "if the workflow is being processed"
            )
        if not forced:
            # Straight from the store, which is what is purged.
            state = await self._around.store.load(self.instance_id)
            if state is None:
                raise InstanceNotFoundError
            if completion(state.history) is None:
                raise NotCompletedError
        elif not await self._around.store.exists(self.instance_id):
            raise InstanceNotFoundError
        await self._around.jobs.forget_workflow(self.instance_id)
        await self._around.store.purge(self.instance_id)
        if not force:
            self.forget()

    async def _load(self) -> Instance | None:
        if self._state is None:
            self._state = await self._around.store.load(self.instance_id)
        return self._state

    async def _saving(self, saving: Awaitable[None], new: Instance) -> None:
        # While it is open whether the store has the new state, memory holds none.
        epoch = self._epoch
        self._state = None
        await saving
        if epoch == self._epoch:
            self._state = new

    async def _wake(self, prefix: str) -> None:
        # A reminder that has not begun to run takes up whatever the inbox holds by then; one that
        # should have run long ago may have been deleted.
        now_ns = self._around.clock_ns()
        if any(now_ns - at_ns < _WAKEUP_TRUSTED_NS for at_ns in self._wakeups.values()):
            return
        name = await self._around.jobs.wake(self.instance_id, prefix)
        self._wakeups = {name: now_ns}

    async def _prepare(self, reminder: Reminder) -> Instance | None:
        """Return the stored state; a child's start that a reminder carries is stored first."""
        state = await self._load()
        started = carried_event(reminder.data) if _is(reminder, START_JOB) else None
        if started is not None and starts.is_taken(state, started):
            await self._refuse(started)
            return None
        if started is None or not starts.is_new_execution(state, started):
            if state is None:
                _LOG.warning(
                    f"No workflow state found for actor '{self.instance_id}', terminating execution"
                )
            return state
        new = begun(started, state)
        await self._saving(self._around.store.save_new(self.instance_id, new), new)
        return new

    async def _refuse(self, started: HistoryEvent) -> None:
        """Tell the parent that its child's id is taken; older Dapr tries again each second."""
        if not self._around.profile.child_of_taken_id_fails:
            raise InstanceActiveError(self.instance_id)
        now_ns = self._around.clock_ns()
        parent, told = starts.child_failed(self.instance_id, started, now_ns)
        await self._around.jobs.wake(parent, EVENT_JOB, carried=told)

    def _with_reminder(self, state: Instance, reminder: Reminder) -> Instance:
        """Return the state with the event that a reminder stands for or carries."""
        event: HistoryEvent | None = None
        if _is(reminder, TIMER_JOB):
            created, generation = carried_timer(reminder.data)
            if generation == state.generation:
                event = events.timer_fired(created, self._around.clock_ns())
        elif not _is(reminder, START_JOB):
            event = carried_event(reminder.data)
        if event is None or state.knows(event) or state.never_asked(event):
            return state
        return state.with_event(event)

    async def _take(self, state: Instance) -> list[turn.Outcome]:
        outcomes: list[turn.Outcome] = []
        clock_ns, rules = self._around.clock_ns, self._around.rules
        # However often it continues as new in one go, that is one generation.
        generation = state.generation + 1
        step: turn.Turn | None = turn.begin(self.instance_id, state, clock_ns())
        while step is not None and len(outcomes) <= _MOST_CONTINUATIONS:
            response = await self._around.workers.run_turn(step.request())
            outcome = turn.finish(step, state, response, rules, clock_ns())
            if outcome.next_turn is not None:
                outcome = replace(outcome, state=replace(outcome.state, generation=generation))
            outcomes.append(outcome)
            state, step = outcome.state, outcome.next_turn
        return outcomes

    async def _stall(self, before: Instance, outcomes: Sequence[turn.Outcome]) -> NoReturn:
        # An execution that was to continue as new is taken again from before that.
        after = replace(outcomes[-1].state, inbox=before.inbox)
        if len(outcomes) == 1 and after.history != before.history:
            await self._saving(self._around.store.save_turn(self.instance_id, before, after), after)
            self._around.waiters.publish(self.instance_id, after)
        raise StalledError

    def _log_unknown(self) -> None:
        if not self._around.profile.lost_instance_result_is_retried:
            _LOG.error(
                f"Workflow actor '{self.instance_id}': cannot add event to workflow as state has "
                "been purged. Ignoring event."
            )

    def _log_completed(self) -> None:
        noun = self._around.profile.workflow_noun
        _BACKEND.warning(f"{self.instance_id}: {noun} already completed; dropping work item")


def _to_save(last: turn.Outcome) -> Instance:
    """Return the state after a turn; a further continue-as-new waits in its inbox."""
    if last.next_turn is None:
        return last.state
    return replace(last.state, inbox=last.next_turn.new[1:])


def _is(reminder: Reminder, prefix: str) -> bool:
    return reminder.name.startswith(f"{prefix}-")
