"""Asks the engine about every instance that has not settled, a bounded batch at a time."""

import asyncio
from typing import Final

import structlog

from workflow_app.engine import Engine
from workflow_app.instances import Instances

_log = structlog.get_logger(__name__)

CONCURRENCY: Final = 16


class Poller:
    """Keeps the engine's side of `Instances` fresh."""

    def __init__(
        self, *, engine: Engine, instances: Instances, interval_s: float, rate_per_s: int
    ) -> None:
        self._engine = engine
        self._instances = instances
        self._interval_s = interval_s
        self._batch = max(1, round(rate_per_s * interval_s))
        self._slots = asyncio.Semaphore(CONCURRENCY)

    async def run(self) -> None:
        """Ask until cancelled; the more instances are open, the longer each waits for its turn."""
        while True:
            await self.poll_once()
            await asyncio.sleep(self._interval_s)

    async def poll_once(self) -> None:
        """Ask about one batch and wait for all answers."""
        open_ids = self._instances.next_open(self._batch)
        results = await asyncio.gather(*map(self._ask, open_ids), return_exceptions=True)
        for instance_id, result in zip(open_ids, results, strict=True):
            if isinstance(result, Exception):
                _log.error("poll_failed", instance=instance_id, exc_info=result)

    async def _ask(self, instance_id: str) -> None:
        async with self._slots:
            record = await self._engine.record(instance_id, payloads=False)
        self._instances.engine_said(instance_id, record.view)
