"""Makes the state store slow: each operation begins late, in its turn or beside others."""

import asyncio
import random
from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from sidecar.faults.base import Effect, Fault, LatencyMs, Operations, Parts
from sidecar.faults.store_faults import Operation


class SlowStore(Fault):
    """Delay operations of the state store; a hit is an operation.

    Attributes:
        latency_ms: How long each waits, milliseconds.
        jitter_ms: Each waits so much less or more, evenly drawn; at most the latency.
        operations: `all`, `reads` or `writes`.
    """

    kind: ClassVar[str] = "slow_store"
    latency_ms: Annotated[LatencyMs, Field(gt=0)]
    jitter_ms: LatencyMs = 0
    operations: Operations = "all"

    @model_validator(mode="after")
    def _jitter_is_within(self) -> Self:
        if self.jitter_ms > self.latency_ms:
            raise ValueError("jitter_ms must not be above latency_ms")
        return self

    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:  # noqa: ARG002 - lifted
        """Delay what comes."""

        def lift() -> None:
            parts.store.delay = None

        effect = Effect(lift)
        parts.store.delay = _Delay(self, effect)
        return effect


class _Delay:
    def __init__(self, fault: SlowStore, effect: Effect) -> None:
        self._fault = fault
        self._effect = effect

    async def wait(self, operation: Operation) -> None:
        if self._fault.operations not in ("all", operation):
            return
        self._effect.hit()
        jitter_ms = random.uniform(-1, 1) * self._fault.jitter_ms  # noqa: S311 - no secret
        await asyncio.sleep((self._fault.latency_ms + jitter_ms) / 1000)
