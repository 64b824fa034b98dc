"""Where faults of the state store strike: each operation passes here on its way to the store."""

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Literal, Protocol, TypeVar

from sidecar.errors import StoreError

Operation = Literal["reads", "writes"]
_Result = TypeVar("_Result")


class Strike(Enum):
    """How an operation fares."""

    SPARED = auto()
    REFUSED = auto()
    # Carried out, and its answer is lost.
    ANSWER_LOST = auto()


class Delay(Protocol):
    """Makes operations late."""

    async def wait(self, operation: Operation) -> None:
        """Return when the operation may begin."""


class Failure(Protocol):
    """Makes operations fail."""

    def strike(self, operation: Operation) -> Strike:
        """Say how this operation fares."""


class StoreFaults:
    """The faults in force; without any an operation passes at once."""

    def __init__(self) -> None:
        self.delay: Delay | None = None
        self.failure: Failure | None = None

    async def around(self, operation: Operation, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Carry out an operation, late or in vain where a fault strikes it.

        Raises:
            StoreError: it was struck.
        """
        if self.delay is not None:
            await self.delay.wait(operation)
        strike = Strike.SPARED if self.failure is None else self.failure.strike(operation)
        if strike is Strike.REFUSED:
            raise StoreError("state store: failed on purpose, nothing was done")
        result = await call()
        if strike is Strike.ANSWER_LOST:
            raise StoreError("state store: failed on purpose, the answer was lost")
        return result
