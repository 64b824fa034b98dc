"""A gateway of version 2, as far as the store can tell: its functions, called as it called them."""

from importlib.resources import files
from typing import Any

from budget.reservations import Reservation
from budget.scopes import ScopeKind
from budget.store.library import HOLD_PREFIX, HOLDS, LEDGER, META
from budget.store.link import RedisLink
from budget.store.requests import reserve_keys

KINDS = (ScopeKind.GLOBAL, ScopeKind.INSTANCE)


class OldReplica:
    """Counts calls in two scopes and one window, and knows of no rules."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def load(self) -> None:
        """Load the functions of version 2 beside the others."""
        source = files("tests.budget.store").joinpath("version_2.lua").read_text("utf-8")
        await self._link.send("FUNCTION", "LOAD", "REPLACE", source)

    async def reserve(self, call: Reservation) -> Any:
        """Hold a call's money under the lifetime limits of the two scopes."""
        epoch = await self._link.send("HGET", META, "epoch")
        scopes = [scope for scope in call.scopes if scope.kind in KINDS]
        most = {limit.scope: str(limit.limit_nano_usd) for limit in call.in_force.limits}
        keys = (
            *reserve_keys(call)[:11],
            *(key for scope in scopes for key in (scope.key, scope.index_key)),
        )
        arguments = (
            *(call.id, str(call.amount_nano_usd), call.hold_ms, epoch, 0, call.instance, "", ""),
            *("", "", 0, ""),
            *(most.get(scope, "") for scope in scopes),
        )
        return await self._call("reserve", keys, *arguments)

    async def dispatch(self, call: Reservation) -> Any:
        """Mark a hold as dispatched."""
        return await self._call("dispatch", self._keys(call), call.id)

    async def settle(self, call: Reservation, cost: int) -> Any:
        """Turn a hold into what the call cost."""
        return await self._call("settle", self._keys(call), call.id, str(cost), "0")

    async def release(self, call: Reservation) -> Any:
        """Give a hold back."""
        return await self._call("release", self._keys(call), call.id)

    async def expire(self) -> Any:
        """Close the holds past their time."""
        return await self._call("expire", (META, HOLDS, LEDGER), 500, HOLD_PREFIX, 0)

    def _keys(self, call: Reservation) -> tuple[str, ...]:
        return (META, HOLDS, LEDGER, HOLD_PREFIX + call.id)

    async def _call(self, function: str, keys: tuple[str, ...], *arguments: str | int) -> Any:
        return await self._link.send("FCALL", f"budget_v2_{function}", len(keys), *keys, *arguments)
