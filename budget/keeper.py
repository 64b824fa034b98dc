"""Keeps the store usable: opens the gate when Redis can be trusted, renews and expires holds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from budget.calls.renewals import EXPIRY_GRACE_MS, Renewals
from budget.closing import Closer
from budget.errors import StoreError, UnsafeStoreError
from budget.gate import Gate
from budget.metrics import Metrics
from budget.store.link import RedisLink
from budget.store.safety import check_safety
from budget.store.store import Store

log = structlog.get_logger(__name__)

CHECK_EVERY_S: Final = 0.25
EXPIRE_EVERY_S: Final = 0.5


class Keeper:
    """Runs beside the data path.

    Args:
        link: For the store's settings.
        store: The budget.
        closer: Owes the store the ends of calls.
        renewals: The holds that live on.
        gate: Opened and closed here.
        metrics: Where expiries are counted.
        allow_unsafe: Skip the check of the store's settings.
        watch: Done each time the store was looked after.
    """

    def __init__(
        self,
        link: RedisLink,
        store: Store,
        closer: Closer,
        renewals: Renewals,
        gate: Gate,
        *,
        metrics: Metrics,
        allow_unsafe: bool,
        watch: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._link = link
        self._store = store
        self._closer = closer
        self._renewals = renewals
        self._gate = gate
        self._metrics = metrics
        self._allow_unsafe = allow_unsafe
        self._watch = watch

    async def check(self) -> None:
        """Check the store, tell it what it is owed, and open the gate.

        What closes holds comes before what a full store refuses, and after what lets them live on.

        Raises:
            UnsafeStoreError: Its settings may lose money.
            StoreUnavailableError: It can't be used.
        """
        if not self._allow_unsafe:
            await check_safety(self._link)
        await self._store.load()
        await self._closer.tell_untold()
        await self._renewals.renew(is_late=True)
        await self._expire()
        if await self._store.open():
            log.error("store_lost_its_ledger", accepted_by="BUDGET_ALLOW_UNSAFE_STORE")
        # Calls ended meanwhile, and an open gate's keeper tells nothing.
        await self._closer.tell_untold()
        self._gate.open()

    async def run(self) -> None:
        """Do so for ever."""
        while True:
            try:
                await self._once()
            except (StoreError, UnsafeStoreError) as error:
                self._gate.close(error)
                await asyncio.sleep(CHECK_EVERY_S)
            except Exception as error:
                # Without its keeper a gateway would stay as it is for ever: closed, or unwatched.
                log.exception("keeper_failed")
                self._gate.close(error)
                await asyncio.sleep(CHECK_EVERY_S)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EXPIRE_EVERY_S):
                        await self._gate.closed.wait()

    async def _once(self) -> None:
        if self._gate.reason is not None:
            await self.check()
        await self._renewals.renew()
        await self._expire()
        await self._store.evict_answers()
        if self._watch is not None:
            await self._watch()

    async def _expire(self) -> None:
        expired = await self._store.expire(grace_ms=EXPIRY_GRACE_MS)
        if expired:
            self._metrics.expired(expired)
            log.warning("holds_expired", holds=len(expired))
