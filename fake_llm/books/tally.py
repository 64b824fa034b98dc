"""Sums over calls, in integers, and what the last minute makes of an hour and a month."""

from collections import deque
from typing import Final, NamedTuple

from metering.money import Money, format_usd, money_json
from metering.usage import Usage

WINDOW_S: Final = 60
MINUTES_PER_HOUR: Final = 60
HOURS_PER_MONTH: Final = 24 * 30


class Charge(NamedTuple):
    """What one call adds.

    Attributes:
        usage: Its tokens.
        nano_usd: Its price; 0 when it has none.
        priced: Whether its model has a price.
        duplicate: Whether the same call was served before.
        started_unix_ms: When it began.
        second: When it was charged, on the clock of the rate.
    """

    usage: Usage
    nano_usd: int
    priced: bool
    duplicate: bool
    started_unix_ms: int
    second: int


class Rate:
    """Spend of the last `WINDOW_S` seconds: at most one integer bucket for each of them."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int]] = deque(maxlen=WINDOW_S)

    def add(self, second: int, nano_usd: int) -> None:
        """Add to a second that is not before the last one added to."""
        buckets = self._buckets
        if buckets and buckets[-1][0] == second:
            buckets[-1] = (second, buckets[-1][1] + nano_usd)
        else:
            buckets.append((second, nano_usd))

    def last_minute(self, now_second: int) -> int:
        """Return the nano-dollars of this second and the 59 before it."""
        return sum(nano for second, nano in self._buckets if second > now_second - WINDOW_S)


class Tally:
    """Sums over the calls of one kind."""

    __slots__ = (
        "cached_tokens",
        "calls",
        "duplicate_calls",
        "first_call_unix_ms",
        "in_flight",
        "input_tokens",
        "last_call_unix_ms",
        "nano_usd",
        "output_tokens",
        "rate",
        "unpriced_calls",
    )

    def __init__(self) -> None:
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget every charge; what is in flight stays so."""
        self.nano_usd = 0
        self.calls = 0
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.duplicate_calls = 0
        self.unpriced_calls = 0
        self.first_call_unix_ms: int | None = None
        self.last_call_unix_ms: int | None = None
        self.rate = Rate()

    def add(self, charge: Charge) -> None:
        """Add one call."""
        self.nano_usd += charge.nano_usd
        self.calls += 1
        self.input_tokens += charge.usage.input_tokens
        self.cached_tokens += charge.usage.cached_tokens
        self.output_tokens += charge.usage.output_tokens
        self.duplicate_calls += charge.duplicate
        self.unpriced_calls += not charge.priced
        started = charge.started_unix_ms
        if self.first_call_unix_ms is None or self.last_call_unix_ms is None:
            self.first_call_unix_ms = self.last_call_unix_ms = started
        elif started > self.last_call_unix_ms:
            self.last_call_unix_ms = started
        elif started < self.first_call_unix_ms:
            self.first_call_unix_ms = started
        self.rate.add(charge.second, charge.nano_usd)


class Spend(NamedTuple):
    """Sums as they are shown; adding two of them gives the sums of both.

    Attributes:
        minute_nano_usd: Spend of the last 60 seconds.
    """

    nano_usd: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    duplicate_calls: int = 0
    unpriced_calls: int = 0
    in_flight: int = 0
    minute_nano_usd: int = 0
    first_call_unix_ms: int | None = None
    last_call_unix_ms: int | None = None

    @classmethod
    def of(cls, tally: Tally, now_second: int) -> "Spend":
        """Read a tally at a time of its rate's clock."""
        return cls(
            tally.nano_usd,
            tally.calls,
            tally.input_tokens,
            tally.cached_tokens,
            tally.output_tokens,
            tally.duplicate_calls,
            tally.unpriced_calls,
            tally.in_flight,
            tally.rate.last_minute(now_second),
            tally.first_call_unix_ms,
            tally.last_call_unix_ms,
        )

    def plus(self, other: "Spend") -> "Spend":
        """Return the sums of both."""
        firsts = (self.first_call_unix_ms, other.first_call_unix_ms)
        lasts = (self.last_call_unix_ms, other.last_call_unix_ms)
        return Spend(
            nano_usd=self.nano_usd + other.nano_usd,
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            duplicate_calls=self.duplicate_calls + other.duplicate_calls,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
            in_flight=self.in_flight + other.in_flight,
            minute_nano_usd=self.minute_nano_usd + other.minute_nano_usd,
            first_call_unix_ms=min((t for t in firsts if t is not None), default=None),
            last_call_unix_ms=max((t for t in lasts if t is not None), default=None),
        )

    @property
    def usd(self) -> str:
        """The spend in dollars."""
        return format_usd(self.nano_usd)

    @property
    def per_hour(self) -> Money:
        """The last minute's spend, for an hour."""
        return money_json(self.minute_nano_usd * MINUTES_PER_HOUR)

    @property
    def per_month(self) -> Money:
        """The last minute's spend, for 30 days."""
        return money_json(self.minute_nano_usd * MINUTES_PER_HOUR * HOURS_PER_MONTH)
