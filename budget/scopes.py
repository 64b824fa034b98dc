"""Who a limit is about, over which time, and which of the settings' limits holds in which mode.

Every call is counted in one scope of each kind, whether or not somebody limits it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, Literal, Self
from urllib.parse import quote

from budget.caller import Caller
from budget.claims import activity_of
from metering.identity import UNKNOWN
from metering.money import NanoUsd

MAX_LIMIT_NANO_USD: Final = 9_000_000_000_000_000
"""$9 million: above it the store's comparisons, in doubles, would not be exact."""

MAX_ROLLING_MINUTES: Final = 60

KEY_PREFIX: Final = "{budget}:"
"""One hash tag: every key of the budget lives in one slot of a cluster."""


class ScopeKind(StrEnum):
    """What a scope groups calls by."""

    GLOBAL = "global"
    TENANT = "tenant"
    WORKFLOW = "workflow"
    ROOT = "root"
    INSTANCE = "instance"
    ACTIVITY = "activity"
    MODEL = "model"


class Window(str):
    """Over which time a limit counts, by its name; all in UTC.

    `lifetime`, `hour`, `day`, `week` (ISO, from Monday), `month`, or `rolling:<N>m`: any N
    consecutive minutes, N of 1 to 60.

    Raises:
        ValueError: Another name.
    """

    __slots__ = ()

    LIFETIME: ClassVar["Window"]
    HOUR: ClassVar["Window"]
    DAY: ClassVar["Window"]
    WEEK: ClassVar["Window"]
    MONTH: ClassVar["Window"]

    def __new__(cls, name: str) -> Self:
        """Take a name that is one."""
        rolling = re.fullmatch(r"rolling:([1-9][0-9]?)m", name)
        is_rolling = rolling is not None and int(rolling[1]) <= MAX_ROLLING_MINUTES
        if name not in _CALENDAR and not is_rolling:
            raise ValueError(
                f"no window {name!r}: it is {', '.join(_CALENDAR)}, or rolling:<N>m with N of 1 "
                f"to {MAX_ROLLING_MINUTES}"
            )
        return super().__new__(cls, name)

    @property
    def rolling_minutes(self) -> int | None:
        """How many minutes a rolling window has; None for another one."""
        return int(self[len("rolling:") : -1]) if self.startswith("rolling:") else None


_CALENDAR: Final = ("lifetime", "hour", "day", "week", "month")

Window.LIFETIME, Window.HOUR, Window.DAY, Window.WEEK, Window.MONTH = map(Window, _CALENDAR)


@dataclass(frozen=True, slots=True)
class Scope:
    """One counter of money.

    Attributes:
        kind: What it groups by.
        id: Which one of its kind; empty for the global one.
    """

    kind: ScopeKind
    id: str = ""

    @property
    def key(self) -> str:
        """The Redis key of its counters; those of every window but the rolling ones are there."""
        return f"{KEY_PREFIX}scope:{self.kind}:lifetime:{quote(self.id, safe='')}"

    @property
    def index_key(self) -> str:
        """The Redis key of the set that lists every scope of this kind."""
        return f"{KEY_PREFIX}index:{self.kind}:lifetime"


GLOBAL: Final = Scope(ScopeKind.GLOBAL)


@dataclass(frozen=True, slots=True)
class ScopeLimit:
    """What may be spent in a scope over a time; None is no limit, 0 is nothing."""

    scope: Scope
    limit_nano_usd: NanoUsd | None
    window: Window = Window.LIFETIME


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings' limits, over a lifetime, in nano-dollars, and whether the mode enforces them.

    Attributes:
        mode: `cap` enforces `cap` and `instance_cap`; `observe` only `safety_cap`.
        cap: For the global scope.
        instance_cap: For each instance.
        safety_cap: For the global scope, in every mode.
    """

    mode: Literal["cap", "observe"]
    cap: NanoUsd | None = None
    instance_cap: NanoUsd | None = None
    safety_cap: NanoUsd | None = None

    def enforced(self, kind: ScopeKind) -> NanoUsd | None:
        """Return the limit that the mode enforces for a kind, the safety stop aside."""
        if self.mode == "observe":
            return None
        return {ScopeKind.GLOBAL: self.cap, ScopeKind.INSTANCE: self.instance_cap}.get(kind)

    def safety(self, kind: ScopeKind) -> NanoUsd | None:
        """Return the safety stop of a kind."""
        return self.safety_cap if kind is ScopeKind.GLOBAL else None

    def of(self, scope: Scope) -> ScopeLimit:
        """Return the lower of the enforced limit and the safety stop."""
        found = [
            limit
            for limit in (self.enforced(scope.kind), self.safety(scope.kind))
            if limit is not None
        ]
        return ScopeLimit(scope, min(found) if found else None)


def scopes_of(caller: Caller, model: str) -> tuple[Scope, ...]:
    """Return the scopes that a call is counted in, one of each kind, the global one first.

    Callers that leave a header out share the scope called `unknown`: leaving it out is no way
    around a limit. A call without a root is its own.
    """
    identity = caller.identity
    root = identity.instance if identity.root == UNKNOWN else identity.root
    return (
        GLOBAL,
        Scope(ScopeKind.TENANT, caller.tenant),
        Scope(ScopeKind.WORKFLOW, identity.workflow),
        Scope(ScopeKind.ROOT, root),
        Scope(ScopeKind.INSTANCE, identity.instance),
        Scope(ScopeKind.ACTIVITY, activity_of(identity) or UNKNOWN),
        Scope(ScopeKind.MODEL, model),
    )
