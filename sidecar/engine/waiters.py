"""Callers that wait for an instance to reach a status."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sidecar.engine.instance import Instance


class Waiter:
    """One waiting caller; holds the latest state that was published since it looked."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._latest: Instance | None = None

    def put(self, state: Instance) -> None:
        """Offer a newer state."""
        self._latest = state
        self._changed.set()

    async def next(self) -> Instance:
        """Return the next state that is published."""
        while self._latest is None:
            await self._changed.wait()
            self._changed.clear()
        latest, self._latest = self._latest, None
        return latest


class Waiters:
    """All waiting callers, by instance; survives what the sidecar forgets of the instance."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[Waiter]] = {}

    @contextmanager
    def waiting(self, instance_id: str) -> Iterator[Waiter]:
        """Be told of each state of an instance until the block ends."""
        waiter = Waiter()
        self._waiting.setdefault(instance_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiters = self._waiting[instance_id]
            waiters.discard(waiter)
            if not waiters:
                del self._waiting[instance_id]

    def publish(self, instance_id: str, state: Instance) -> None:
        """Tell those who wait for an instance its new state."""
        for waiter in self._waiting.get(instance_id, ()):
            waiter.put(state)
