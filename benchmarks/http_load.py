"""An HTTP/1.1 load client that costs little: closed loop for throughput, open loop for latency.

The open loop sends on a schedule whatever the server does, and times each answer from the moment
at which its request was *due*: a server that stalls pays for every request that the stall delays,
also for those that had to wait here for a free connection (no coordinated omission).
"""

import asyncio
import selectors
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

import httptools

STALL_S: Final = 30.0
"""A load that does not come to its end so long after its time has failed."""

RequestOf = Callable[[int], bytes]
"""Writes the n-th request, head and body."""


@dataclass(slots=True)
class Answers:
    """What a load got.

    Attributes:
        statuses: How many answers by HTTP status.
        elapsed_s: From the first request to the last answer.
        latencies_s: Of each answer; only of an open loop.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    elapsed_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers in a second."""
        return self.statuses.total() / self.elapsed_s

    def quantile_ms(self, share: float) -> float:
        """Return the latency in ms that this share of the answers is not above."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._on_answer: Callable[[Connection, int], None] | None = None
        self.on_failure: Callable[[Exception], None] | None = None

    def send(self, request: bytes, on_answer: "Callable[[Connection, int], None]") -> None:
        """Send a request; `on_answer` gets the status of its answer when that is whole."""
        assert self._transport is not None  # noqa: S101  # connected before it is used
        self._on_answer = on_answer
        self._transport.write(request)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse; httptools calls on_message_complete."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Report the answer."""
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer(self, self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the load when an answer is due."""
        if self._on_answer is not None and self.on_failure is not None:
            self.on_failure(exc or ConnectionResetError("the server hung up"))


class _Load:
    """A number of connections, and what came over them."""

    def __init__(self, request_of: RequestOf) -> None:
        self.answers = Answers()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.idle: deque[Connection] = deque()
        self.under_way = 0
        self.is_ending = False
        self._request_of = request_of
        self._sent = 0

    async def connect(self, host: str, port: int, connections: int) -> None:
        """Open the connections, before any request."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, connection = await loop.create_connection(Connection, host, port)
            connection.on_failure = self.fail
            self.idle.append(connection)

    def send(self, connection: Connection, on_answer: Callable[[Connection, int], None]) -> None:
        """Send the next request."""
        self.under_way += 1
        request = self._request_of(self._sent)
        self._sent += 1
        connection.send(request, on_answer)

    def count(self, status: int) -> None:
        """Count an answer."""
        self.under_way -= 1
        self.answers.statuses[status] += 1

    def end_if_idle(self) -> None:
        """End the load once its time is over and nothing is under way."""
        if self.is_ending and not self.under_way and not self.over.done():
            self.over.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the load with an error."""
        if not self.over.done():
            self.over.set_exception(error)

    def close(self) -> None:
        """Hang up."""
        while self.idle:
            self.idle.pop().close()


async def closed_loop(
    address: tuple[str, int],
    request_of: RequestOf,
    *,
    connections: int,
    seconds: float = float("inf"),
    calls: float = float("inf"),
) -> Answers:
    """Ask on every connection again as soon as it was answered, for a time or a number of calls."""
    load = _Load(request_of)
    await load.connect(*address, connections)
    began_s = time.perf_counter()
    ends_s = began_s + seconds
    left = calls

    def go_on(connection: Connection) -> None:
        nonlocal left
        if left <= 0 or time.perf_counter() >= ends_s:
            load.is_ending = True
            load.idle.append(connection)
            return
        left -= 1
        load.send(connection, on_answer)

    def on_answer(connection: Connection, status: int) -> None:
        load.count(status)
        go_on(connection)
        load.end_if_idle()

    for _ in range(connections):
        go_on(load.idle.popleft())
    await _until_over(load, None if seconds == float("inf") else seconds + STALL_S)
    load.answers.elapsed_s = time.perf_counter() - began_s
    load.close()
    return load.answers


async def open_loop(
    address: tuple[str, int],
    request_of: RequestOf,
    *,
    per_second: float,
    seconds: float,
    connections: int,
) -> Answers:
    """Send at a constant rate; latencies count from when each request was due."""
    load = _Load(request_of)
    await load.connect(*address, connections)
    waiting: deque[float] = deque()
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    def give(connection: Connection) -> None:
        if not waiting:
            load.idle.append(connection)
            return
        due_s = waiting.popleft()

        def on_answer(connection: Connection, status: int) -> None:
            load.answers.latencies_s.append(loop.time() - due_s)
            load.count(status)
            give(connection)
            load.end_if_idle()

        load.send(connection, on_answer)

    def tick(number: int) -> None:
        now_s = loop.time()
        while (due_s := began_s + number / per_second) <= now_s and due_s < began_s + seconds:
            waiting.append(due_s)
            number += 1
            if load.idle:
                give(load.idle.popleft())
        if due_s >= began_s + seconds:
            load.is_ending = True
            load.end_if_idle()
            return
        loop.call_at(due_s, tick, number)

    tick(0)
    await _until_over(load, seconds + STALL_S)
    load.answers.elapsed_s = loop.time() - began_s
    load.close()
    return load.answers


async def _until_over(load: _Load, within_s: float | None) -> None:
    async with asyncio.timeout(within_s):
        await load.over


def precise_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers are exact to microseconds: epoll's and uvloop's are to 1 ms."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
