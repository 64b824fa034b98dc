"""Meters calls: each is begun, charged exactly once, and ended; ledger and journal always agree."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fake_llm.clock import Clock
from fake_llm.duplicates import Duplicates
from fake_llm.journal import CallRecord, CallStatus, Journal
from fake_llm.ledger import Cell, Ledger
from fake_llm.tally import Charge, Tally
from metering.chat import ChatRequest
from metering.errors import UnpricedModelError
from metering.identity import CallerIdentity
from metering.prices import PriceBook
from metering.usage import Usage


@dataclass(slots=True, eq=False)
class Call:
    """A call that is being served.

    Attributes:
        model: As the request named it.
        identity: Who makes it.
        body_hash: Hash of its request's body.
        stream: Whether its answer is streamed.
        started_unix_ms: When its request was read.
        tally: Where its caller's sums are kept.
        charged: Whether it is in ledger and journal.
    """

    model: str
    identity: CallerIdentity
    body_hash: bytes
    stream: bool
    started_unix_ms: int
    tally: Tally
    charged: bool = False


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

    @contextmanager
    def serving(
        self, request: ChatRequest, identity: CallerIdentity, body_hash: bytes
    ) -> Iterator[Call]:
        """Count a call as in flight while the block runs."""
        tally = self.ledger.tally(Cell.of(request.model, identity))
        call = Call(
            model=request.model,
            identity=identity,
            body_hash=body_hash,
            stream=bool(request.stream),
            started_unix_ms=self._clock.unix_ms(),
            tally=tally,
        )
        tally.in_flight += 1
        self.ledger.total.in_flight += 1
        try:
            yield call
        finally:
            tally.in_flight -= 1
            self.ledger.total.in_flight -= 1

    def charge(self, call: Call, usage: Usage, status: CallStatus) -> None:
        """Enter a call into ledger and journal; a call that was charged is left alone."""
        if call.charged:
            return
        call.charged = True
        nano_usd, priced = self._price(call.model, usage)
        duplicate = self._duplicates.seen(call.identity, call.body_hash)
        charge = Charge(usage, nano_usd, priced, duplicate, call.started_unix_ms, self.now_second)
        self.ledger.total.add(charge)
        call.tally.add(charge)
        self.journal.append(
            CallRecord(
                seq=self.journal.next_seq,
                started_unix_ms=call.started_unix_ms,
                ended_unix_ms=self._clock.unix_ms(),
                model=call.model,
                identity=call.identity,
                stream=call.stream,
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

    def _price(self, model: str, usage: Usage) -> tuple[int, bool]:
        try:
            return self._prices.unit_price(model).cost(usage), True
        except UnpricedModelError:
            return 0, False
