"""The rules that an operator sets, and which of them hold for a call. Pure.

Of the rules of one kind and window the most specific holds for a scope: the one for its id, else
the one for the call's workflow, else the one for each. The settings hold where no rule does; the
safety cap always.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeVar, get_args

from budget.caller import Caller
from budget.scopes import GLOBAL, MAX_LIMIT_NANO_USD, Limits, Scope, ScopeKind, ScopeLimit, Window
from metering.money import NanoUsd

Over = Literal["60s", "10m"]
"""Over which time a velocity is measured."""

MINUTES_OVER: Final[dict[Over, int]] = {"60s": 1, "10m": 10}


class Match(StrEnum):
    """Which scopes of its kind a rule is about."""

    ID = "id"
    WORKFLOW = "workflow"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """What may be spent in some scopes of a kind over a time.

    Attributes:
        kind: Which kind.
        window: Over which time.
        match: `id`: the scope called `value`; `workflow`: each scope of the kind, in calls of the
            workflow called `value`; `each`: each scope of the kind.
        value: Empty with `each`, and for the global scope.
        limit_nano_usd: 0 is nothing.

    Raises:
        ValueError: They don't go together.
    """

    kind: ScopeKind
    window: Window
    match: Match
    value: str
    limit_nano_usd: NanoUsd

    def __post_init__(self) -> None:
        _check_value(self.kind, self.match, self.value)
        _check_amount("a limit", self.limit_nano_usd)


@dataclass(frozen=True, slots=True)
class VelocityRule:
    """How fast some scopes of a kind may spend before their calls are stopped.

    Attributes:
        kind, match, value: As in a limit.
        nano_usd_per_minute: What may be spent a minute, on average.
        over: The time over which that is measured.

    Raises:
        ValueError: They don't go together.
    """

    kind: ScopeKind
    match: Match
    value: str
    nano_usd_per_minute: NanoUsd
    over: Over

    def __post_init__(self) -> None:
        _check_value(self.kind, self.match, self.value)
        if self.over not in MINUTES_OVER:
            raise ValueError(f"a velocity is measured over {' or '.join(get_args(Over))}")
        _check_amount("what a velocity allows over its time", self.most_nano_usd)

    @property
    def most_nano_usd(self) -> NanoUsd:
        """What may be spent over its whole time."""
        return NanoUsd(self.nano_usd_per_minute * MINUTES_OVER[self.over])


@dataclass(frozen=True, slots=True)
class ScopeVelocity:
    """How much may be spent in a scope over a short time before its calls are stopped."""

    scope: Scope
    over: Over
    most_nano_usd: NanoUsd


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds for one call.

    Attributes:
        version: Of the rules that this was taken from.
        limits: In the order of the call's scopes; those without a limit are not there.
        velocities: The same.
    """

    version: int = 0
    limits: tuple[ScopeLimit, ...] = ()
    velocities: tuple[ScopeVelocity, ...] = ()


_Key = tuple[Match, str]
_Rule = TypeVar("_Rule")


@dataclass(frozen=True)
class Rulebook:
    """All rules at one version, looked up by a call's scopes.

    Attributes:
        version: Counts the edits; 0 is a store that never had a rule.
        limits: One for each (kind, window, match, value).
        velocities: One for each (kind, match, value, over).
    """

    version: int = 0
    limits: tuple[LimitRule, ...] = ()
    velocities: tuple[VelocityRule, ...] = ()
    _limits: dict[ScopeKind, dict[Window, dict[_Key, LimitRule]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _velocities: dict[ScopeKind, dict[Over, dict[_Key, VelocityRule]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for limit in self.limits:
            rules = self._limits.setdefault(limit.kind, {}).setdefault(limit.window, {})
            rules[limit.match, limit.value] = limit
        for velocity in self.velocities:
            found = self._velocities.setdefault(velocity.kind, {}).setdefault(velocity.over, {})
            found[velocity.match, velocity.value] = velocity

    def in_force(self, scopes: Sequence[Scope], caller: Caller, settings: Limits) -> InForce:
        """Return what holds for a call; in mode `observe` that is the safety cap alone."""
        if settings.mode == "observe":
            safety = settings.of(GLOBAL)
            limits = () if safety.limit_nano_usd is None else (safety,)
            return InForce(self.version, limits)
        workflow = caller.identity.workflow
        return InForce(
            self.version,
            tuple(limit for scope in scopes for limit in self._of(scope, workflow, settings)),
            tuple(found for scope in scopes for found in self._velocities_of(scope, workflow)),
        )

    def _of(self, scope: Scope, workflow: str, settings: Limits) -> Iterator[ScopeLimit]:
        rules = self._limits.get(scope.kind, {})
        lifetime = _most_specific(rules.get(Window.LIFETIME, {}), scope, workflow)
        amounts = [
            settings.enforced(scope.kind) if lifetime is None else lifetime.limit_nano_usd,
            settings.safety(scope.kind),
        ]
        limited = [amount for amount in amounts if amount is not None]
        if limited:
            yield ScopeLimit(scope, min(limited))
        for window, candidates in rules.items():
            rule = _most_specific(candidates, scope, workflow)
            if rule is not None and window != Window.LIFETIME:
                yield ScopeLimit(scope, rule.limit_nano_usd, window)

    def _velocities_of(self, scope: Scope, workflow: str) -> Iterator[ScopeVelocity]:
        for over, candidates in self._velocities.get(scope.kind, {}).items():
            rule = _most_specific(candidates, scope, workflow)
            if rule is not None:
                yield ScopeVelocity(scope, over, rule.most_nano_usd)


def _most_specific(rules: dict[_Key, _Rule], scope: Scope, workflow: str) -> _Rule | None:
    if not rules:
        return None
    for key in ((Match.ID, scope.id), (Match.WORKFLOW, workflow), (Match.EACH, "")):
        if key in rules:
            return rules[key]
    return None


def _check_value(kind: ScopeKind, match: Match, value: str) -> None:
    needs_none = match is Match.EACH or (match is Match.ID and kind is ScopeKind.GLOBAL)
    if needs_none and value:
        raise ValueError(f"a rule for {match} {kind} has no value, not {value!r}")
    if not needs_none and not value:
        raise ValueError(f"a rule for {kind} by {match} needs a value")


def _check_amount(what: str, nano_usd: int) -> None:
    if not 0 <= nano_usd <= MAX_LIMIT_NANO_USD:
        raise ValueError(
            f"{what} is an integer of 0 to {MAX_LIMIT_NANO_USD} nano-dollars, not {nano_usd}"
        )
