"""What happens, as it happens: trips, thresholds, refusals for good, the store closing and opening.

One bounded log feeds all listeners: a listener has a place in it and no queue of its own. Trips
come from the store, whichever gateway caused them; refusals and the store's state are this
gateway's.
"""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

import structlog

from budget.control.decisions import decision_row
from budget.decision_log import DecisionLog
from budget.decisions import Code
from budget.errors import StoreError
from budget.feed import Feed, Page
from budget.gate import Gate
from budget.instances import Trip
from budget.store.reading import Reading

log = structlog.get_logger(__name__)

MOST_KEPT: Final = 2_000
MOST_REFUSALS_A_ROUND: Final = 100
"""Beyond that a round tells only how many more there were: a runaway is refused without end."""

LOOK_EVERY_S: Final = 0.25
PAGE: Final = 100

MAY_COME_AGAIN: Final = frozenset(
    {Code.BUDGET_IN_FLIGHT, Code.IDEMPOTENCY_IN_FLIGHT, Code.STORE_UNAVAILABLE}
)
NAME_OF_TRIP: Final = {"threshold": "threshold", "source_stop": "stop"}


@dataclass(frozen=True, slots=True)
class Happening:
    """One event.

    Attributes:
        name: `trip`, `threshold`, `stop`, `refusal`, `refusals_left_out` or `store`.
        data: A JSON object.
        trip_seq: The newest trip up to here.
    """

    name: str
    data: str
    trip_seq: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listener is, as its `Last-Event-ID` says.

    Attributes:
        number: Of the last event of this process that it saw, or need not see.
        trip_seq: The newest trip that it saw; None for whoever misses none.
    """

    number: int
    trip_seq: int | None = None


class EventLog:
    """Collects what happens.

    Args:
        reading: Where trips are.
        decisions: What this gateway decided.
        gate: Whether its store is open.

    Attributes:
        epoch: Tells this process's events from another's.
    """

    def __init__(self, reading: Reading, decisions: DecisionLog, gate: Gate) -> None:
        self.epoch = token_hex(4)
        self._reading = reading
        self._decisions = decisions
        self._gate = gate
        self._feed: Feed[Happening] = Feed(MOST_KEPT, first=1)
        self._newest = 0
        self._decision = decisions.feed.read(2**63, 1).next
        self._trip = 0
        self._is_reached = asyncio.Event()
        self._is_open = False
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Do so for ever."""
        while True:
            try:
                self._look_at_gate()
                self._take_refusals()
                await self._take_trips()
            except StoreError:
                pass
            except Exception:
                # Without it an operator would look at a page on which nothing happens.
                log.exception("event_log_failed")
            if self._is_open:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._gate.closed.wait()
                        self._note_closed()
            else:
                await asyncio.sleep(LOOK_EVERY_S)

    def read(self, after: int) -> Page[Happening]:
        """Return the events that follow the one numbered so."""
        return self._feed.read(after, PAGE)

    @property
    def newest(self) -> int:
        """The number of the last event; 0 before the first."""
        return self._newest

    async def wait(self, after: int) -> None:
        """Wait until there is an event after the one numbered so."""
        while self._newest <= after:
            await self._changed.wait()

    def id_of(self, number: int, happening: Happening) -> str:
        """Return an event's id: `<process>-<number>-<newest trip>`."""
        return f"{self.epoch}-{number}-{happening.trip_seq}"

    def place_of(self, last_event_id: str | None) -> Place:
        """Return where a listener goes on; whoever saw nothing begins with what happens next."""
        parts = (last_event_id or "").split("-")
        if len(parts) != 3 or not all(p.isdecimal() and len(p) < 17 for p in parts[1:]):  # noqa: PLR2004  # epoch, number, trip
            return Place(self._newest)
        if parts[0] == self.epoch:
            return Place(int(parts[1]))
        return Place(self._newest, int(parts[2]))

    async def missed_trips(self, after: int) -> list[Happening]:
        """Return some trips after the one numbered so that are no event of this process any more.

        For whoever comes from another process; waits until the store was reached once.
        """
        await self._is_reached.wait()
        page = await self._reading.trips(after, PAGE)
        return [trip_event(trip) for trip in page.trips if trip.seq <= self._trip]

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Tell all listeners."""
        self._append(Happening(name, json.dumps(data), self._trip))

    def _append(self, happening: Happening) -> None:
        self._feed.append(happening)
        self._newest += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _look_at_gate(self) -> None:
        if self._is_open and self._gate.reason is not None:
            self._note_closed()
        elif not self._is_open and self._gate.reason is None:
            self._is_open = True
            self.publish("store", _store_state("open", None))

    def _note_closed(self) -> None:
        self._is_open = False
        self.publish("store", _store_state("closed", self._gate.reason or "for a moment"))

    def _take_refusals(self) -> None:
        page = self._decisions.feed.read(self._decision, 100_000)
        self._decision = page.next
        refusals = [
            (seq, item)
            for seq, item in page.items
            if item.decision == "deny" and item.code not in MAY_COME_AGAIN
        ]
        for seq, item in refusals[:MOST_REFUSALS_A_ROUND]:
            self.publish("refusal", decision_row(seq, item))
        left_out = len(refusals) - MOST_REFUSALS_A_ROUND + page.dropped
        if left_out > 0:
            self.publish("refusals_left_out", {"count": left_out})

    async def _take_trips(self) -> None:
        if not self._is_reached.is_set():
            self._trip = (await self._reading.trips(2**53, 1)).next_seq
            self._is_reached.set()
        page = await self._reading.trips(self._trip, PAGE)
        for trip in page.trips:
            self._trip = trip.seq
            self._append(trip_event(trip))


def trip_event(trip: Trip) -> Happening:
    """Return a trip as an event."""
    return Happening(
        NAME_OF_TRIP.get(trip.kind, "trip"), json.dumps(trip_row(trip)), trip_seq=trip.seq
    )


def trip_row(trip: Trip) -> dict[str, Any]:
    """Return a trip as JSON shows it."""
    names = ("seq", "at_unix_ms", "kind", "scope", "id", "reason", "actor", "detail")
    return {name: getattr(trip, name) for name in names}


def _store_state(state: str, reason: str | None) -> dict[str, Any]:
    return {"state": state, "reason": reason, "at_unix_ms": time.time_ns() // 1_000_000}
