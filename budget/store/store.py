"""The budget in Redis: typed calls of the functions in lua/.

Never computes money: the functions do, atomically. Never answers from memory: without Redis every
call raises `StoreUnavailableError`.
"""

import contextlib
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from budget.answers import Shelf, StoredAnswer
from budget.claims import Claim
from budget.errors import StoreLostError, StoreUnavailableError
from budget.reservations import (
    Admission,
    Allowed,
    Expired,
    Recorded,
    Reservation,
    Rules,
    Settled,
)
from budget.store import library
from budget.store.library import ANSWERS, HOLD_PREFIX, HOLDS, LEDGER, META, TEST_CLOCK
from budget.store.link import RedisLink
from budget.store.replies import (
    read_admission,
    read_expired,
    read_recorded,
    read_settled,
)
from budget.store.requests import hold_keys, reserve_arguments, reserve_keys
from metering.money import NanoUsd


class Store:
    """Reservations in Redis.

    Args:
        link: The connection; started and closed by the caller.
        accept_loss: Go on with a store that lost or rolled back its ledger. Without it, a loss
            once seen is for good: no reservation is sent any more.
        rules: What makes an instance a zombie.
        shelf: How many answers are kept.
        accept_test_clock: Use a store whose clock a test has moved.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        accept_loss: bool = False,
        rules: Rules | None = None,
        shelf: Shelf | None = None,
        accept_test_clock: bool = False,
    ) -> None:
        self._link = link
        self._accept_loss = accept_loss
        self._rules = rules or Rules()
        self._shelf = shelf or Shelf()
        self._accept_test_clock = accept_test_clock
        self._epoch = ""
        self._seq = 0
        self._loss: StoreLostError | None = None

    async def load(self) -> None:
        """Load the functions and compare the ledger.

        Raises:
            StoreUnavailableError: No answer, or its clock was moved.
            StoreLostError: As `open`; nothing may be told to that store.
        """
        await library.load_library(self._link)
        known = self._seq
        epoch, seq, moved = await self._link.send("HMGET", META, "epoch", "seq", TEST_CLOCK)
        if moved is not None and not self._accept_test_clock:
            raise StoreUnavailableError(
                f"the store's clock was moved by a test: HDEL {META} {TEST_CLOCK}, if it is no test"
            )
        self._compare(epoch or "", seq or "0", known)
        await self._vouch(epoch or "")

    async def _vouch(self, epoch: str) -> None:
        """Say that the ledger is whole, as far as this gateway can tell."""
        if not await self._call("vouch", (META, library.GATEWAYS), epoch):
            raise StoreUnavailableError(
                "Redis was restarted, and the gateways with a journal have yet to say whether it "
                "lost something: set BUDGET_JOURNAL_DIR on every gateway, or on none"
            )

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

    async def reserve(self, reservation: Reservation) -> Admission:
        """Hold the amount in every scope or in none."""
        return self._admission(reservation, await self._ask("reserve", reservation))

    async def simulate(self, reservation: Reservation) -> Admission:
        """Return what `reserve` would, and leave no trace."""
        return self._admission(reservation, await self._ask("simulate", reservation))

    async def reserve_and_dispatch(self, reservation: Reservation) -> Admission:
        """Hold the amount of a call that is written upstream at once, as dispatched.

        What never was, is to be released: else it expires as spent.
        """
        return self._admission(reservation, await self._ask("reserve_dispatched", reservation))

    async def dispatch(self, reservation_id: str) -> Recorded | None:
        """Mark a reservation as about to be written upstream; None when it may not be."""
        return self._recorded(
            await self._call("dispatch", hold_keys(reservation_id), reservation_id)
        )

    async def extend(self, reservation_id: str, hold_ms: int) -> bool:
        """Let a hold live at least so long from now; False when it is closed."""
        reply = await self._call("extend", hold_keys(reservation_id), reservation_id, hold_ms)
        return bool(reply[0] == "OK")

    async def settle(
        self, reservation_id: str, cost_nano_usd: NanoUsd, *, is_estimated: bool = False
    ) -> Settled | None:
        """Turn a hold into what the call cost; None when it was closed before.

        A hold that expired is corrected. Settling twice is harmless. Its idempotency key is free
        again unless its answer was kept before.
        """
        reply = await self._call(
            "settle",
            hold_keys(reservation_id),
            reservation_id,
            str(cost_nano_usd),
            "1" if is_estimated else "0",
        )
        settled = read_settled(reply)
        if settled is not None:
            self._learn(settled.seq)
        return settled

    async def keep_and_settle(
        self,
        reservation_id: str,
        cost_nano_usd: NanoUsd,
        claim: Claim,
        answer: StoredAnswer,
        *,
        is_estimated: bool = False,
    ) -> Settled | None:
        """Store an answer for its idempotency key and settle, in one round trip.

        The answer comes first: a call that is charged and can't be replayed is one whose answer a
        full store had no room for.
        """
        shelf = self._shelf
        keeping = self._call(
            "keep",
            (META, ANSWERS, library.CLAIM_PREFIX + claim.key),
            *(shelf.most, shelf.most_bytes, shelf.most_age_ms),
            *(reservation_id, claim.body, answer.status, answer.headers, answer.body),
        )
        settled = await self.settle(reservation_id, cost_nano_usd, is_estimated=is_estimated)
        with contextlib.suppress(StoreUnavailableError):
            await keeping
        return settled

    async def evict_answers(self) -> None:
        """Drop stored answers that are too old."""
        shelf = self._shelf
        await self._call(
            "evict_answers", (META, ANSWERS), shelf.most, shelf.most_bytes, shelf.most_age_ms
        )

    async def release(self, reservation_id: str) -> Recorded | None:
        """Give back a hold whose call cost nothing; None when it was closed or never made.

        Afterwards that id can't be reserved, even by a command that is still on its way.
        """
        return self._recorded(
            await self._call("release", hold_keys(reservation_id), reservation_id)
        )

    async def expire(self, most: int = 500, *, grace_ms: int = 0) -> tuple[Expired, ...]:
        """Close holds that are past their time: dispatched ones count as spent.

        Each lives on for the grace first: whose call goes on can extend it.

        Learns how far the ledger is: what other gateways wrote can't be rolled back unseen.

        Raises:
            StoreLostError: As `open`.
        """
        known = self._seq
        reply = await self._call("expire", (META, HOLDS, LEDGER), most, HOLD_PREFIX, grace_ms)
        self._compare(reply[0], reply[1], known)
        if reply[2:] == ["RECOVERING"]:
            raise StoreUnavailableError("Redis was restarted: its ledger is compared first")
        self._learn(int(reply[1]))
        return read_expired(reply[2:])

    def _call(self, function: str, keys: Sequence[str], *arguments: str | int) -> Any:
        return library.call(self._link, function, keys, *arguments)

    def _ask(self, function: str, reservation: Reservation) -> Any:
        self._refuse_after_loss()
        return self._call(
            function,
            reserve_keys(reservation),
            *reserve_arguments(reservation, self._rules, self._epoch, self._seq),
        )

    def _admission(self, reservation: Reservation, reply: list[Any]) -> Admission:
        if reply[0] == "LOST":
            raise self._lost(reply[1], reply[2])
        admission = read_admission(reservation, reply)
        if isinstance(admission, Allowed):
            self._learn(admission.seq)
        return admission

    def _recorded(self, reply: list[Any]) -> Recorded | None:
        recorded = read_recorded(reply)
        if recorded is not None:
            self._learn(recorded.seq)
        return recorded

    def _learn(self, seq: int) -> None:
        self._seq = max(self._seq, seq)

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
