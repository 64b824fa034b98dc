"""Carries out what a turn decided: all of it becomes jobs at the scheduler."""

import asyncio
from collections.abc import Awaitable, Sequence

from sidecar.engine.turn import Message, Outcome
from sidecar.names import EVENT_JOB, START_JOB
from sidecar.reminders.jobs import Jobs


async def carry_out(instance_id: str, outcome: Outcome, jobs: Jobs) -> None:
    """Schedule a turn's activities and timers, and send its messages; all at once.

    Raises:
        SchedulerError: the first failure, once all others have been answered.
    """
    state, generation = outcome.state, outcome.state.generation
    calls: list[Awaitable[object]] = [
        jobs.run_activity(instance_id, each, generation, state.history[0].timestamp)
        for each in outcome.activities
    ]
    calls += [jobs.fire_timer(instance_id, each, generation) for each in outcome.timers]
    calls += [_send(jobs, each) for each in outcome.messages]
    await _all(calls)


def _send(jobs: Jobs, message: Message) -> Awaitable[object]:
    starts = message.event.HasField("executionStarted")
    prefix = START_JOB if starts else EVENT_JOB
    return jobs.wake(message.instance_id, prefix, carried=message.event)


async def _all(calls: Sequence[Awaitable[object]]) -> None:
    """Wait for all of them, and raise the first failure only then."""
    if len(calls) == 1:
        await calls[0]
        return
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
