"""Kill and resume, of all calls or one scope: in force with the next call on every gateway."""

from dataclasses import dataclass

from budget.scopes import Scope, ScopeKind
from budget.store import library
from budget.store.library import META, STOPS, TRIPS, instance_key, stop_key
from budget.store.link import RedisLink


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody decided.

    Attributes:
        scope: All calls, or those of one scope of a kind.
        id: Which one; empty for all calls.
        reason: Why.
        actor: Who.
    """

    scope: ScopeKind
    id: str
    reason: str
    actor: str


class Switches:
    """Switches calls off and on; raises `StoreUnavailableError` when it is not known whether."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def kill(self, order: Order) -> bool:
        """Let no call of the scope pass; False when that was so already."""
        return await self._send("kill", order, "", 0)

    async def kill_at_source(self, order: Order, app: str) -> bool:
        """Kill an instance, and ask for a stop at its source."""
        return await self._send("kill", order, app, 1)

    async def resume(self, order: Order) -> bool:
        """Let the scope's calls pass again; False when they did already."""
        return await self._send("resume", order)

    async def _send(self, function: str, order: Order, *more: str | int) -> bool:
        scope = Scope(order.scope, order.id)
        keys = (META, TRIPS, instance_key(order.id), stop_key(order.id), STOPS, scope.key)
        arguments = (order.scope, order.id, order.reason, order.actor, *more)
        return bool(await library.call(self._link, function, keys, *arguments))
