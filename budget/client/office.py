"""The gateway's own parts, without its routes, on an event loop in the background.

One office serves every transport of a process with an equal budget; the last to leave closes it.
Each has a keeper: it renews the holds of calls under way, and expires those that nobody closed,
whichever process left them.
"""

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final

import structlog

from budget.accounts import Accounts, Receipt, Ticket
from budget.answers import StoredAnswer
from budget.calls import refusals
from budget.calls.providers import metered_routes
from budget.calls.refusals import Refusal
from budget.client.calls import Outgoing
from budget.client.logs import log_by_logging
from budget.client.loop import Handover, LoopClosedError, LoopThread
from budget.client.options import Budget
from budget.errors import RefusedError, StoreError
from budget.gate import Gate
from budget.keeper import Keeper
from budget.metrics import Metrics
from budget.reservations import Replay, Rules
from budget.scopes import Limits
from budget.settings import Settings
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.stops import StopQueue
from budget.store.store import Store
from metering.money import NanoUsd
from metering.prices import PriceBook
from metering.usage import Usage
from serving.errors import StartError

log = structlog.get_logger(__name__)

START_S: Final = 5.0
"""How long a first call waits for the store's answers; afterwards it is refused."""

LAST_WORDS_S: Final = 2.0


class Office:
    """Admits calls and settles them, for any thread.

    Args:
        budget: What it enforces.

    Attributes:
        routes: Those that cost money, by path.
        settings: The gateway's, for this budget.
        tenant: Whose calls these are.

    Raises:
        PriceFileError, OSError: A price file that can't be used.
    """

    def __init__(self, budget: Budget) -> None:
        log_by_logging()
        self.settings = budget.settings()
        self.tenant = budget.tenant
        prices = PriceBook(self.settings.price_file)
        self.routes = metered_routes(prices, self.settings.default_max_tokens)
        self._thread = LoopThread()
        self._parts = self._thread.submit(_open(self.settings)).result()
        self._is_closed = False
        self._pid = os.getpid()

    @property
    def is_of_this_process(self) -> bool:
        """Whether its thread runs here: a fork copies none."""
        return self._pid == os.getpid()

    @property
    def closed_because(self) -> str | None:
        """Why no call is let through; None while they are."""
        return self._parts.gate.reason

    def begin(self, outgoing: Outgoing) -> Handover[Ticket | Replay]:
        """Reserve and dispatch; what is given up holds nothing.

        The outcome raises RefusedError, also when the office is closed meanwhile.

        Raises:
            RefusedError: The office is closed.
        """
        if self._is_closed:
            raise _closed()
        parts = self._parts
        try:
            return Handover(self._thread, lambda: parts.admit(outgoing), parts.undo, closed=_closed)
        except LoopClosedError:
            raise _closed() from None

    def settle(
        self,
        ticket: Ticket,
        usage: Usage | None,
        stored: StoredAnswer | None = None,
        *,
        least_nano_usd: NanoUsd | None = None,
    ) -> "Future[Receipt | None]":
        """Charge a call; without usage at its worst case. None when the office has closed."""
        return self._submit(
            self._parts.accounts.settle(ticket, usage, stored, least_nano_usd=least_nano_usd)
        )

    def release(self, ticket: Ticket) -> Future[None]:
        """Give back what a call held that cost nothing."""
        return self._submit(self._parts.accounts.release(ticket))

    def close(self) -> None:
        """Tell the store what it is owed, for at most LAST_WORDS_S, and end the thread."""
        self._is_closed = True
        with contextlib.suppress(RuntimeError):
            self._thread.submit(self._parts.close()).result()
            self._thread.close()

    def _submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        if self._is_closed:
            work.close()
        else:
            with contextlib.suppress(LoopClosedError):
                return self._thread.submit(work)
        log.warning("end_not_told", reason="the transport is closed: the hold expires as spent")
        lost: Future[Any] = Future()
        lost.set_result(None)
        return lost


class _Parts:
    """What runs on the loop."""

    def __init__(self, settings: Settings) -> None:
        metrics = Metrics()
        self.gate = Gate(metrics)
        self._link = RedisLink(settings.redis_url)
        store = Store(self._link, accept_loss=settings.allow_unsafe_store, rules=_rules(settings))
        limits = Limits(
            settings.mode,
            settings.cap_nano_usd,
            settings.instance_cap_nano_usd,
            settings.safety_cap_nano_usd,
        )
        book = LimitBook(self._link)
        self.accounts = Accounts(store, self.gate, limits, settings.hold_ms, metrics, book=book)
        self._keeper = Keeper(
            self._link,
            store,
            self.accounts.closer,
            self.accounts.renewals,
            self.gate,
            metrics=metrics,
            allow_unsafe=settings.allow_unsafe_store,
        )
        self._metrics = metrics
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Look for the store, and go on keeping it usable."""
        self._link.start()
        try:
            async with asyncio.timeout(START_S):
                await self._keeper.check()
        except (StoreError, StartError, TimeoutError) as error:
            self.gate.close(error)
        self._tasks.append(asyncio.create_task(self._keeper.run(), name="keeper"))
        if self._settings.scheduler_address is not None:
            self._tasks.append(asyncio.create_task(self._stopper(), name="stopper"))

    async def admit(self, outgoing: Outgoing) -> Ticket | Replay:
        """Admit a call; its hold lives on until it is told how the call ended."""
        try:
            admission = await self._admit(outgoing)
        except RefusedError as error:
            if isinstance(error.__cause__, StoreError):
                raise RefusedError(_unavailable(str(error.__cause__))) from error
            raise
        if isinstance(admission, Ticket):
            # The read timeout of the caller's client bounds no plain call as a whole.
            self.accounts.renewals.begin(admission.reservation.id)
        return admission

    async def _admit(self, outgoing: Outgoing) -> Ticket | Replay:
        """Ask; where that is wanted, once more for a smaller call when it does not fit."""
        call, caller, claim = outgoing.call, outgoing.caller, outgoing.claim
        try:
            return await self.accounts.admit(call, caller, claim, _wait)
        except RefusedError as error:
            tokens = error.refusal.affordable_output_tokens
            smaller = call.clamped(tokens) if outgoing.clamps and tokens is not None else None
            if smaller is None:
                raise
        return await self.accounts.admit(smaller, caller, claim, _wait)

    async def undo(self, admission: Ticket | Replay) -> None:
        """Give back what is held for a call that is not made after all."""
        if isinstance(admission, Ticket):
            await self.accounts.release(admission)

    async def close(self) -> None:
        """Tell the store what it is owed, and stop."""
        with contextlib.suppress(TimeoutError, StoreError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self.accounts.closer.tell_untold()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.close()

    async def _stopper(self) -> None:
        # gRPC, which only this needs.
        from budget.sources import SourceStopper  # noqa: PLC0415

        assert self._settings.scheduler_address is not None  # noqa: S101  # started only with one
        await SourceStopper(
            StopQueue(self._link),
            self._settings.scheduler_address,
            self._settings.namespace,
            self._settings.app_id or "",
            self._metrics,
            wake=self.accounts.zombie_found,
        ).run()


async def _open(settings: Settings) -> _Parts:
    parts = _Parts(settings)
    await parts.open()
    return parts


async def _wait(something: Coroutine[Any, Any, None]) -> None:
    await something


def _rules(settings: Settings) -> Rules:
    if settings.mode == "observe":
        return Rules(refuses_zombies=False)
    return Rules(
        zombie_executions=settings.zombie_executions,
        stops_zombies=settings.scheduler_address is not None,
    )


def _closed() -> RefusedError:
    return RefusedError(_unavailable("its transport is closed"))


def _unavailable(reason: str) -> Refusal:
    return replace(
        refusals.store_unavailable(),
        message=f"The budget's store is unavailable, so no call is let through: {reason}.",
    )


class Offices:
    """The open offices of this process, and how many transports each serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Budget, tuple[Office, int]] = {}

    def enter(self, budget: Budget) -> Office:
        """Return the office of a budget; leave it once."""
        with self._lock:
            office, guests = self._open.get(budget) or (Office(budget), 0)
            self._open[budget] = (office, guests + 1)
            return office

    def leave(self, budget: Budget, office: Office) -> None:
        """Close the office when nobody is left."""
        with self._lock:
            found = self._open.get(budget)
            if found is None or found[0] is not office:
                # That of the process before a fork; its thread is not in this one.
                return
            guests = found[1] - 1
            if guests:
                self._open[budget] = (office, guests)
                return
            del self._open[budget]
        office.close()

    def forget(self) -> None:
        """Begin anew after a fork: threads are not copied."""
        self.__init__()  # type: ignore[misc]  # the very same object is imported elsewhere

    def close(self) -> None:
        """Close all."""
        with self._lock:
            offices = [office for office, _ in self._open.values()]
            self._open.clear()
        for office in offices:
            office.close()


OFFICES: Final = Offices()
os.register_at_fork(after_in_child=OFFICES.forget)
atexit.register(OFFICES.close)
