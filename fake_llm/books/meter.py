"""Meters calls: each is begun, charged exactly once, and ended; ledger and journal always agree."""

from typing import Self

from fake_llm.books.duplicates import Duplicates
from fake_llm.books.journal import CallRecord, CallStatus, Journal
from fake_llm.books.ledger import Cell, Ledger
from fake_llm.books.tally import Charge, Tally
from fake_llm.clock import Clock
from fake_llm.visit import Visit
from metering.errors import UnpricedModelError
from metering.prices import PriceBook
from metering.usage import Usage


class Call:
    """A call that is being served; in flight while its block runs.

    Attributes:
        visit: Its request.
        started_unix_ms: When its request was read.
        tally: Where its caller's sums are kept.
        charged: Whether it is in ledger and journal.
    """

    __slots__ = ("_total", "charged", "started_unix_ms", "tally", "visit")

    def __init__(self, visit: Visit, started_unix_ms: int, tally: Tally, total: Tally) -> None:
        self.visit = visit
        self.started_unix_ms = started_unix_ms
        self.tally = tally
        self.charged = False
        self._total = total

    def __enter__(self) -> Self:
        self.tally.in_flight += 1
        self._total.in_flight += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.tally.in_flight -= 1
        self._total.in_flight -= 1


class Meter:
    """The service's own account of what it served: the oracle of every test.

    Attributes:
        ledger: Sums.
        journal: The calls one by one.
    """

    def __init__(self, prices: PriceBook, clock: Clock, calls_limit: int) -> None:
        self.ledger = Ledger()
        self.journal = Journal(calls_limit)
        self._duplicates = Duplicates()
        self._prices = prices
        self._clock = clock

    @property
    def now_second(self) -> int:
        """The time on the clock of the rates."""
        return int(self._clock.monotonic_s())

    def serving(self, visit: Visit) -> Call:
        """Return the call of a request whose model and caller are known."""
        tally = self.ledger.tally(Cell.of(visit.model, visit.identity))
        return Call(visit, self._clock.unix_ms(), tally, self.ledger.total)

    def charge(self, call: Call, usage: Usage, status: CallStatus) -> None:
        """Enter a call into ledger and journal; a call that was charged is left alone."""
        if call.charged:
            return
        call.charged = True
        visit = call.visit
        nano_usd, priced = self._price(visit, usage)
        duplicate = self._duplicates.seen(visit.identity, visit.body_hash)
        charge = Charge(usage, nano_usd, priced, duplicate, call.started_unix_ms, self.now_second)
        self.ledger.total.add(charge)
        call.tally.add(charge)
        self.journal.append(
            CallRecord(
                seq=self.journal.next_seq,
                started_unix_ms=call.started_unix_ms,
                ended_unix_ms=self._clock.unix_ms(),
                model=visit.model,
                identity=visit.identity,
                stream=visit.stream,
                usage=usage,
                nano_usd=nano_usd,
                duplicate=duplicate,
                status=status,
            )
        )

    def reset(self) -> None:
        """Forget every charge; a call in flight is charged to the new ledger."""
        self.ledger.clear()
        self.journal.clear()
        self._duplicates.clear()

    def _price(self, visit: Visit, usage: Usage) -> tuple[int, bool]:
        try:
            price = self._prices.unit_price(visit.model, has_output=visit.has_output)
        except UnpricedModelError:
            return 0, False
        return price.cost(usage), True
