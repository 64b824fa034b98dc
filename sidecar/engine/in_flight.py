"""The executions of activities that are under way, so that a job that comes again finds its own.

On newer versions it waits for the execution and takes its outcome, for a minute after a success
too; on older ones it executes the activity again, afterwards. Both from Dapr's source
(`activity/inflight` of 1.18.3, which 1.16.1 has not), not recorded.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

_KEPT_S = 60.0
_MOST_KEPT = 10_000


class InFlight:
    """Runs each execution once, or one after the other.

    Args:
        joined: A job that comes again joins the execution.
        now_s: The monotonic clock.
    """

    def __init__(self, *, joined: bool, now_s: Callable[[], float] = time.monotonic) -> None:
        self._joined = joined
        self._now_s = now_s
        self._running: dict[str, asyncio.Future[bool]] = {}
        self._succeeded: OrderedDict[str, float] = OrderedDict()

    async def run(
        self, actor_id: str, execution_id: str, execute: Callable[[], Awaitable[bool]]
    ) -> bool:
        """Execute an activity, or join its execution; return whether it succeeded."""
        key = f"{actor_id}::{execution_id}" if self._joined else actor_id
        while (running := self._running.get(key)) is not None:
            outcome = await asyncio.shield(running)
            if self._joined:
                return outcome
        if self._has_succeeded(key):
            return True
        ended = self._running[key] = asyncio.get_running_loop().create_future()
        success = False
        try:
            success = await execute()
        finally:
            del self._running[key]
            ended.set_result(success)
        # Without an id of its own a later execution of the task can't be told from this one.
        if self._joined and success and execution_id:
            self._keep(key)
        return success

    def forget(self, actor_id: str, execution_id: str) -> None:
        """Have the next job of an execution executed, though the last one succeeded."""
        self._succeeded.pop(f"{actor_id}::{execution_id}", None)

    def _has_succeeded(self, key: str) -> bool:
        at_s = self._succeeded.get(key)
        return at_s is not None and self._now_s() - at_s < _KEPT_S

    def _keep(self, key: str) -> None:
        now_s = self._now_s()
        self._succeeded[key] = now_s
        self._succeeded.move_to_end(key)
        while len(self._succeeded) > _MOST_KEPT or (
            now_s - next(iter(self._succeeded.values())) >= _KEPT_S
        ):
            self._succeeded.popitem(last=False)
