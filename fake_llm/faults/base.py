"""What a fault is: whom it may strike and how often, and what it then does to one call."""

from abc import ABC, abstractmethod
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from fake_llm.draws import Draw
from fake_llm.effects import Effect
from fake_llm.visit import Visit

Pattern = Annotated[str, Field(min_length=1, max_length=200)]
"""A name, in which `*` stands for anything."""

TARGET_FIELDS: Final = ("times", "model", "path", "caller")
"""What only makes sense for a fault that stays: a header speaks of its own request."""


class Fault(BaseModel, ABC):
    """One kind of fault and its attributes.

    Attributes:
        kind: Its name in the API.
        times: It strikes so many calls and is over; None: it stays.
        probability: Share of the calls in its scope that it strikes.
        model: The models that it is for; None: all.
        path: The routes that it is for.
        caller: The applications (`X-Workflow-App`) that it is for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str]
    times: PositiveInt | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    model: Pattern | None = None
    path: Pattern | None = None
    caller: Pattern | None = None

    def concerns(self, visit: Visit) -> bool:
        """Tell whether a call is in its scope."""
        return (
            _matches(self.model, visit.model)
            and _matches(self.path, visit.path)
            and _matches(self.caller, visit.identity.app)
        )

    @abstractmethod
    def strike(self, visit: Visit, draw: Draw) -> Effect:
        """Return what it does to a call; whatever is random in it comes from the draw."""


def _matches(pattern: str | None, name: str) -> bool:
    return pattern is None or fnmatchcase(name, pattern)
