"""The budget in Redis: typed calls of the functions in functions.lua.

Never computes money: the functions do, atomically. Never answers from memory: without Redis every
call raises `StoreUnavailableError`.
"""

from collections.abc import Sequence
from importlib.resources import files
from secrets import token_hex
from typing import Any, Final

from budget.errors import StoreLostError, StoreUnavailableError
from budget.link import RedisLink
from budget.reservations import (
    Allowed,
    Denied,
    Expired,
    HoldState,
    Obstacle,
    Reservation,
    ScopeBarrier,
    ScopeTotals,
    Settled,
)
from budget.scopes import KEY_PREFIX
from metering.money import NanoUsd

LIBRARY: Final = "budget_v1"
META: Final = f"{KEY_PREFIX}meta"
HOLDS: Final = f"{KEY_PREFIX}holds"
LEDGER: Final = f"{KEY_PREFIX}ledger"
HOLD_PREFIX: Final = f"{KEY_PREFIX}hold:"


class Store:
    """Reservations in Redis.

    Args:
        link: The connection; started and closed by the caller.
        accept_loss: Go on with a store that lost or rolled back its ledger. Without it, a loss
            once seen is for good: no reservation is sent any more.
    """

    def __init__(self, link: RedisLink, *, accept_loss: bool = False) -> None:
        self._link = link
        self._accept_loss = accept_loss
        self._epoch = ""
        self._seq = 0
        self._loss: StoreLostError | None = None

    async def load(self) -> None:
        """Load the functions, unless the very same are there, and compare the ledger.

        A full store loads nothing, but answers whether they are there.

        Raises:
            StoreUnavailableError: No answer.
            StoreLostError: As `open`; nothing may be told to that store.
        """
        source = files("budget").joinpath("functions.lua").read_text(encoding="utf-8")
        listing = await self._link.send("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        if not any(_library_code(library) == source for library in listing):
            await self._link.send("FUNCTION", "LOAD", "REPLACE", source)
        known = self._seq
        epoch, seq = await self._link.send("HMGET", META, "epoch", "seq")
        self._compare(epoch or "", seq or "0", known)

    async def open(self) -> bool:
        """Recognise the ledger, or begin one; return whether it is another than before.

        Raises:
            StoreUnavailableError: No answer.
            StoreLostError: The ledger is not the one seen before, or is older; or once was.
        """
        known = self._seq
        epoch, seq = await self._call("open", (META,), token_hex(8))
        self._compare(epoch, seq, known)
        is_lost = self._is_lost(epoch, seq, known)
        self._epoch, self._seq = epoch, int(seq) if is_lost else max(self._seq, int(seq))
        return is_lost

    async def reserve(self, reservation: Reservation) -> Allowed | Denied:
        """Hold the amount in every scope or in none."""
        return self._admission(reservation, await self._send_reserve(reservation))

    async def reserve_and_dispatch(self, reservation: Reservation) -> Allowed | Denied:
        """Reserve, and mark the hold as dispatched, in one round trip."""
        reserving = self._send_reserve(reservation)
        dispatching = self._call("dispatch", _hold_keys(reservation.id), reservation.id)
        admission = self._admission(reservation, await reserving)
        is_dispatched = self._has_dispatched(await dispatching)
        if isinstance(admission, Allowed) and not is_dispatched:
            raise StoreUnavailableError("the hold was gone before its dispatch")
        return admission

    async def dispatch(self, reservation_id: str) -> bool:
        """Mark a reservation as about to be written upstream; False when it may not be."""
        reply = await self._call("dispatch", _hold_keys(reservation_id), reservation_id)
        return self._has_dispatched(reply)

    async def extend(self, reservation_id: str, hold_ms: int) -> bool:
        """Let a hold live at least so long from now; False when it is closed."""
        reply = await self._call("extend", _hold_keys(reservation_id), reservation_id, hold_ms)
        return bool(reply[0] == "OK")

    async def settle(
        self, reservation_id: str, cost_nano_usd: NanoUsd, *, is_estimated: bool = False
    ) -> Settled | None:
        """Turn a hold into what the call cost; None when it was closed before.

        A hold that expired is corrected. Settling twice is harmless.
        """
        reply = await self._call(
            "settle",
            _hold_keys(reservation_id),
            reservation_id,
            str(cost_nano_usd),
            "1" if is_estimated else "0",
        )
        if reply[0] != "OK":
            return None
        self._learn(reply[1])
        return Settled(NanoUsd(int(reply[2])), _totals(reply[3:]))

    async def release(self, reservation_id: str) -> bool:
        """Give back a hold whose call cost nothing; False when it was closed or never made.

        Afterwards that id can't be reserved, even by a command that is still on its way.
        """
        reply = await self._call("release", _hold_keys(reservation_id), reservation_id)
        return bool(reply[0] == "OK")

    async def expire(self, most: int = 500) -> tuple[Expired, ...]:
        """Close holds that are past their time: dispatched ones count as spent.

        Learns how far the ledger is: what other gateways wrote can't be rolled back unseen.

        Raises:
            StoreLostError: As `open`.
        """
        known = self._seq
        reply = await self._call("expire", (META, HOLDS, LEDGER), most, HOLD_PREFIX)
        self._compare(reply[0], reply[1], known)
        self._learn(reply[1])
        pairs = zip(reply[2::2], reply[3::2], strict=True)
        return tuple(Expired(reservation_id, HoldState(state)) for reservation_id, state in pairs)

    def _call(self, function: str, keys: Sequence[str], *arguments: str | int) -> Any:
        return self._link.send("FCALL", f"{LIBRARY}_{function}", len(keys), *keys, *arguments)

    def _send_reserve(self, reservation: Reservation) -> Any:
        self._refuse_after_loss()
        scopes = [
            key for limit in reservation.limits for key in (limit.scope.key, limit.scope.index_key)
        ]
        limits = (limit.limit_nano_usd for limit in reservation.limits)
        return self._call(
            "reserve",
            (*_hold_keys(reservation.id), *scopes),
            reservation.id,
            str(reservation.amount_nano_usd),
            reservation.hold_ms,
            self._epoch,
            self._seq,
            reservation.instance,
            *("" if limit is None else str(limit) for limit in limits),
        )

    def _admission(self, reservation: Reservation, reply: list[Any]) -> Allowed | Denied:
        if reply[0] == "LOST":
            raise self._lost(reply[1], reply[2])
        if reply[0] == "DENY":
            return _denied(reservation, reply)
        self._learn(reply[1])
        return Allowed(int(reply[1]), _totals(reply[2:]))

    def _has_dispatched(self, reply: list[Any]) -> bool:
        if reply[0] != "OK":
            return False
        self._learn(reply[1])
        return True

    def _learn(self, seq: str) -> None:
        self._seq = max(self._seq, int(seq))

    def _is_lost(self, epoch: str, seq: str, known: int) -> bool:
        return bool(self._epoch) and (epoch != self._epoch or int(seq) < known)

    def _compare(self, epoch: str, seq: str, known: int) -> None:
        """Compare the ledger with what was known of it when it was asked."""
        self._refuse_after_loss()
        if self._is_lost(epoch, seq, known) and not self._accept_loss:
            raise self._lost(epoch, seq)

    def _refuse_after_loss(self) -> None:
        if self._loss is not None:
            raise self._loss

    def _lost(self, epoch: str, seq: str) -> StoreLostError:
        """Build the error, and stay with it: later entries don't bring back the lost ones."""
        loss = self._loss or StoreLostError(
            f"Redis held ledger {epoch or '(none)'} at entry {seq}, but this gateway knows "
            f"ledger {self._epoch} at entry {self._seq}: it was emptied, replaced or rolled back. "
            "Restore it if you can, then restart the gateway to go on with what it holds"
        )
        if not self._accept_loss:
            self._loss = loss
        return loss


def _library_code(library: dict[str, Any] | list[Any]) -> str | None:
    """Return the source in one entry of FUNCTION LIST, a map or a list of pairs."""
    pairs = (
        library
        if isinstance(library, dict)
        else dict(zip(library[::2], library[1::2], strict=True))
    )
    return pairs.get("library_code")


def _hold_keys(reservation_id: str) -> tuple[str, str, str, str]:
    return (META, HOLDS, LEDGER, HOLD_PREFIX + reservation_id)


def _totals(row: Sequence[str]) -> tuple[ScopeTotals, ...]:
    return tuple(
        ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved)))
        for spent, reserved in zip(row[::2], row[1::2], strict=True)
    )


def _denied(reservation: Reservation, reply: list[Any]) -> Denied:
    _, obstacle, place, _now, *row = reply
    barriers = tuple(
        ScopeBarrier(
            limit,
            ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved))),
            NanoUsd(int(closed)) if closed else None,
        )
        for limit, spent, reserved, closed in zip(
            reservation.limits, row[::3], row[1::3], row[2::3], strict=True
        )
    )
    return Denied(Obstacle(obstacle), int(place) - 1, barriers)
