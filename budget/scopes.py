"""Who a limit is about: scopes, their windows, and which limit holds in which mode.

A further scope or window is a further row here; the store takes any list of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import quote

from metering.identity import CallerIdentity
from metering.money import NanoUsd

MAX_LIMIT_NANO_USD: Final = 9_000_000_000_000_000
"""$9 million: above it the store's comparisons, in doubles, would not be exact."""

KEY_PREFIX: Final = "{budget}:"
"""One hash tag: every key of the budget lives in one slot of a cluster."""


class ScopeKind(StrEnum):
    """What a scope groups calls by."""

    GLOBAL = "global"
    INSTANCE = "instance"


class Window(StrEnum):
    """Over which time a limit counts."""

    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True)
class Scope:
    """One counter of money.

    Attributes:
        kind: What it groups by.
        id: Which one of its kind; empty for the global one.
        window: Over which time it counts.
    """

    kind: ScopeKind
    id: str = ""
    window: Window = Window.LIFETIME

    @property
    def key(self) -> str:
        """The Redis key of its counters."""
        return f"{KEY_PREFIX}scope:{self.kind}:{self.window}:{quote(self.id, safe='')}"

    @property
    def index_key(self) -> str:
        """The Redis key of the set that lists every scope of this kind and window."""
        return f"{KEY_PREFIX}index:{self.kind}:{self.window}"


GLOBAL: Final = Scope(ScopeKind.GLOBAL)


@dataclass(frozen=True, slots=True)
class ScopeLimit:
    """A scope and what may be spent in it; None is no limit, 0 is nothing."""

    scope: Scope
    limit_nano_usd: NanoUsd | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that are set, in nano-dollars, and whether the mode enforces them.

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
        return self.cap if kind is ScopeKind.GLOBAL else self.instance_cap

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


def scopes_of(identity: CallerIdentity) -> tuple[Scope, ...]:
    """Return the scopes that a call is counted in, the global one first.

    Callers that name no instance share the one called `unknown`: leaving the header out is no way
    around an instance's limit.
    """
    return (GLOBAL, Scope(ScopeKind.INSTANCE, identity.instance))
