"""Answers of workers that nothing waits for."""

import asyncio
import random
from collections.abc import Callable

import grpc
import structlog

from sidecar.profiles import Profile
from sidecar.service.answers import Context, unknown

_LOG = structlog.get_logger(scope="dapr.wfengine.backend.actors")
# How daprd 1.16 asks again for a pending item: half a second, half as long again each time, ±50 %.
_FIRST_RETRY_S = 0.5
_RETRY_FACTOR = 1.5
_RETRY_JITTER = 0.5
_LONGEST_RETRY_S = 60.0
_MOST_WAITING = 10_000


class LateResults:
    """Matches each answer to what waits for it; late ones fare as in the profile's Dapr."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._waiting = 0

    async def match(self, take: Callable[[], bool], nobody: str, context: Context) -> None:
        """Have an answer taken.

        Args:
            take: Takes it; false when nothing waits for it.
            nobody: Dapr's words for that.
            context: Of the call that brought it.
        """
        if take():
            return
        if self._profile.late_result == "refused":
            await unknown(context, nobody)
        if self._profile.late_result == "ignored":
            _LOG.warning(f"Ignoring complete task which no longer exists: {nobody}")
            return
        if self._waiting >= _MOST_WAITING:
            text = f"{self._waiting} late results wait already"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        self._waiting += 1
        try:
            await _until_taken(take, nobody)
        finally:
            self._waiting -= 1


async def _until_taken(take: Callable[[], bool], nobody: str) -> None:
    # Ends with the call: gRPC cancels it at the caller's deadline and when the caller goes.
    delay_s = _FIRST_RETRY_S
    while not take():
        _LOG.warning(f"error completing activity task: {nobody}, retrying...")
        jitter = 1 + random.uniform(-_RETRY_JITTER, _RETRY_JITTER)  # noqa: S311 - no secret
        await asyncio.sleep(delay_s * jitter)
        delay_s = min(delay_s * _RETRY_FACTOR, _LONGEST_RETRY_S)
