"""Makes operations of the state store fail, before they are carried out or after."""

import random
from collections.abc import Callable
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from sidecar.faults.base import Effect, Fault, Operations, Parts
from sidecar.faults.store_faults import Operation, Strike


class FailingStore(Fault):
    """Fail operations of the state store; a hit is an operation that failed.

    Attributes:
        share: Which share of the operations fails, above 0 and up to 1; instead of `next`.
        next: How many operations fail, from 1; then the fault is over.
        operations: `all`, `reads` or `writes`.
        applied: The operation is carried out and its answer is lost; false: nothing is done.
    """

    kind: ClassVar[str] = "failing_store"
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    next: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    operations: Operations = "all"
    applied: bool = False

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.share is None) == (self.next is None):
            raise ValueError("give either share or next")
        return self

    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:
        """Fail what comes."""

        def lift() -> None:
            parts.store.failure = None

        effect = Effect(lift)
        parts.store.failure = _Failure(self, effect, over)
        return effect


class _Failure:
    def __init__(self, fault: FailingStore, effect: Effect, over: Callable[[], None]) -> None:
        self._fault = fault
        self._effect = effect
        self._over = over

    def strike(self, operation: Operation) -> Strike:
        fault = self._fault
        if fault.operations not in ("all", operation):
            return Strike.SPARED
        if fault.share is not None and random.random() >= fault.share:  # noqa: S311 - no secret
            return Strike.SPARED
        self._effect.hit()
        if self._effect.hits == fault.next:
            self._over()
        return Strike.ANSWER_LOST if fault.applied else Strike.REFUSED
