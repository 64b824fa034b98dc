"""The rules that operators set, in Redis; each edit is a trip and a new version."""

from budget.limits import LimitRule, Match, Over, Rulebook, VelocityRule
from budget.scopes import ScopeKind, Window
from budget.store import library
from budget.store.library import LIMITS, META, TRIPS
from budget.store.link import RedisLink
from metering.money import NanoUsd

_LIMIT = "limit"
_VELOCITY = "velocity"


class LimitBook:
    """Reads and edits rules; raises `StoreUnavailableError` without the store.

    An edit holds on every gateway with the next call, and never clears what was spent.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def read(self) -> Rulebook:
        """Return all rules, and their version."""
        row = await library.call(self._link, "read_rules", (META, LIMITS))
        rules = sorted(zip(row[1::2], row[2::2], strict=True))
        limits = (_limit(field, value) for field, value in rules)
        velocities = (_velocity(field, value) for field, value in rules)
        return Rulebook(
            int(row[0]),
            tuple(rule for rule in limits if rule is not None),
            tuple(rule for rule in velocities if rule is not None),
        )

    async def rules(self) -> tuple[LimitRule, ...]:
        """Return the limits, in the order of their kinds, windows and matches' names."""
        return (await self.read()).limits

    async def put(self, rule: LimitRule, actor: str) -> bool:
        """Set a limit; False when it was so already.

        Raises:
            StoreArgumentError: There are too many rules.
        """
        scope = (rule.kind, rule.window, rule.match, rule.value)
        return await self._edit((_LIMIT, *scope), str(rule.limit_nano_usd), actor)

    async def remove(
        self, kind: ScopeKind, window: Window, match: Match, value: str, actor: str
    ) -> bool:
        """Remove a limit; False when there was none."""
        return await self._edit((_LIMIT, kind, window, match, value), "", actor)

    async def velocity_rules(self) -> tuple[VelocityRule, ...]:
        """Return the velocities, in the same order."""
        return (await self.read()).velocities

    async def put_velocity(self, rule: VelocityRule, actor: str) -> bool:
        """Set a velocity; False when it was so already.

        Raises:
            StoreArgumentError: There are too many rules.
        """
        scope = (rule.kind, rule.over, rule.match, rule.value)
        return await self._edit((_VELOCITY, *scope), str(rule.nano_usd_per_minute), actor)

    async def remove_velocity(
        self, kind: ScopeKind, match: Match, value: str, over: Over, actor: str
    ) -> bool:
        """Remove a velocity; False when there was none."""
        return await self._edit((_VELOCITY, kind, over, match, value), "", actor)

    async def _edit(self, rule: tuple[str, str, str, str, str], nano_usd: str, actor: str) -> bool:
        what, kind, over, match, value = rule
        whose = {Match.ID: value or "all calls", Match.EACH: "each"}.get(
            Match(match), f"each in workflow {value}"
        )
        unit = " a minute" if what == _VELOCITY else ""
        described = f"{what} of {kind} ({whose}), {over}{unit}"
        keys, scope_id = (META, TRIPS, LIMITS), value if match == Match.ID else ""
        arguments = ("|".join(rule), nano_usd, kind, scope_id, described, actor)
        return bool(await library.call(self._link, "edit_rule", keys, *arguments))


def _limit(field: str, value: str) -> LimitRule | None:
    what, kind, window, match, name = field.split("|", 4)
    if what != _LIMIT:
        return None
    return LimitRule(ScopeKind(kind), Window(window), Match(match), name, NanoUsd(int(value)))


def _velocity(field: str, value: str) -> VelocityRule | None:
    what, kind, over, match, name = field.split("|", 4)
    if what != _VELOCITY:
        return None
    velocity_over: Over = "10m" if over == "10m" else "60s"
    return VelocityRule(ScopeKind(kind), Match(match), name, NanoUsd(int(value)), velocity_over)
