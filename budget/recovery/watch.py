"""Keeps a journal complete while all is well: others' entries, stops, rules, who else there is."""

import time
from typing import Any, Final

import structlog

from budget.recovery.entries import of_ledger
from budget.recovery.memory import PEERS, RULES, SWITCH
from budget.recovery.picture import View
from budget.recovery.recovery import Recovery
from budget.recovery.store import JournaledStore
from budget.store.library import LEDGER, LIMITS, META, TRIPS, call
from budget.store.link import RedisLink

log = structlog.get_logger(__name__)

BEAT_EVERY_S: Final = 2.0
VIEW_EVERY_MS: Final = 20_000
PAGE: Final = 1_000
MOST_PAGES: Final = 10
SWITCHING: Final = frozenset({"kill", "resume", "zombie", "velocity"})


class Watch:
    """Looks at the store twice a second, as the keeper does.

    Args:
        link: The store.
        store: Knows how far the ledger is.
        recovery: Knows the journal and the other gateways.
    """

    def __init__(self, link: RedisLink, store: JournaledStore, recovery: Recovery) -> None:
        self._link = link
        self._store = store
        self._recovery = recovery
        self._journal = recovery.journal
        self._seen = 0
        self._trip = self._journal.memory.trip
        self._beat_s = 0.0

    async def look(self) -> None:
        """Do so once.

        Raises:
            StoreUnavailableError: No answer, or the journal can't be written.
        """
        await self._read_orders()
        await self._fill()
        if time.monotonic() >= self._beat_s:
            await self._beat()
        await self._journal.write(())

    async def leave(self) -> None:
        """Say that this gateway ends, and that the store and the journal are complete.

        Raises:
            StoreUnavailableError: They are not, or no answer.
        """
        await self.look()
        await self._recovery.rebuilder.leave(self._recovery.gateway)

    async def _fill(self) -> None:
        """Copy the entries that another gateway wrote, or whose answer got lost.

        Those that this gateway wrote since the last look are on their way to the disk.
        """
        upto, self._seen = self._seen, self._store.last
        for _ in range(MOST_PAGES):
            coverage = self._journal.memory.coverage
            if coverage.upto >= upto:
                return
            rows = await self._link.send(
                "XRANGE", LEDGER, f"({coverage.upto}", f"{upto}-0", "COUNT", PAGE
            )
            entries = [of_ledger(entry_id, row) for entry_id, row in rows]
            if not entries:
                return
            await self._journal.write([each for each in entries if each["seq"] not in coverage])
            coverage.skip_to(entries[0]["seq"] - 1)

    async def _read_orders(self) -> None:
        memory = self._journal.memory
        trip, version = await self._link.send("HMGET", META, "trips", "limits_version")
        if int(trip or 0) < self._trip:
            self._trip = memory.trip
        if int(trip or 0) > self._trip:
            await self._read_trips()
        if int(version or 0) > memory.rules_version:
            told, *row = await call(self._link, "read_rules", (META, LIMITS))
            rules = dict(zip(row[::2], row[1::2], strict=True))
            self._journal.note({"k": RULES, "version": int(told), "rules": rules})

    async def _read_trips(self) -> None:
        rows = await self._link.send("XRANGE", TRIPS, f"({self._trip}", "+", "COUNT", PAGE)
        for entry_id, row in rows:
            trip = _fields(row) | {"k": SWITCH, "n": int(entry_id.partition("-")[0])}
            if trip["kind"] in SWITCHING:
                self._journal.note(trip)
            self._trip = trip["n"]

    async def _beat(self) -> None:
        recovery = self._recovery
        beat = await recovery.rebuilder.beat(
            recovery.gateway, recovery.host, str(self._journal.disk.folder)
        )
        self._beat_s = time.monotonic() + BEAT_EVERY_S
        recovery.view = beat.view
        known = View.from_json(self._journal.memory.view)
        live = {peer.gateway for peer in beat.view.live()}
        is_old = beat.now_unix_ms - known.at_unix_ms > VIEW_EVERY_MS
        if is_old or live != {peer.gateway for peer in known.live()}:
            self._journal.note({"k": PEERS, "view": beat.view.to_json()})
            await self._journal.drop_before(beat.now_unix_ms, beat.oldest)


def _fields(row: list[str]) -> dict[str, Any]:
    return dict(zip(row[::2], row[1::2], strict=True))
