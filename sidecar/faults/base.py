"""What a fault is: attributes that are checked as they arrive, and what it does while it is set."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from sidecar.faults.scheduler_link import SchedulerLink
from sidecar.faults.store_faults import StoreFaults
from sidecar.profiles import Profile
from sidecar.workers import Workers

DurationS = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
LatencyMs = Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)]
Operations = Literal["all", "reads", "writes"]
InstanceId = Annotated[str, Field(max_length=1000)]
StreamNumber = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Parts:
    """What faults reach of a sidecar.

    Attributes:
        workers: The app's streams.
        store: Between the engine and the state store.
        link: The stream of due jobs.
        forget: Takes the memory of one instance, or (None) of all; returns of how many.
        profile: The Dapr that it behaves like.
    """

    workers: Workers
    store: StoreFaults
    link: SchedulerLink
    forget: Callable[[str | None], int]
    profile: Profile


@dataclass(slots=True)
class Effect:
    """A fault at work.

    Attributes:
        lift: Undoes it.
        hits: How often it has struck.
        lasts: It stays in force; false when it was over as soon as it had struck.
    """

    lift: Callable[[], None] = lambda: None
    hits: int = 0
    lasts: bool = True

    def hit(self) -> None:
        """Count that it has struck once more."""
        self.hits += 1


class Fault(BaseModel, ABC):
    """One kind of fault and its attributes.

    Attributes:
        kind: Its name in the API.
        duration_s: It lifts itself so many seconds after it was set; None: never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str]
    duration_s: DurationS | None = None

    @abstractmethod
    def begin(self, parts: Parts, over: Callable[[], None]) -> Effect:
        """Put the fault in force; `over` is to be called once it has come to its own end."""
