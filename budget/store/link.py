"""One connection to Redis on which concurrent commands share round trips, and so disk syncs.

Every command is answered, or fails with `StoreUnavailableError`, within the timeouts; none is ever
sent twice, because the first one may have been carried out.
"""

import asyncio
import contextlib
import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from budget.errors import StoreArgumentError, StoreUnavailableError

Argument = str | int

TIMEOUT_S: Final = 1.0
MAX_WAITING: Final = 8192
MAX_BATCH: Final = 256
OWN_ERROR: Final = "budget: "


@dataclass(slots=True)
class _Waiting:
    command: tuple[Argument, ...]
    reply: asyncio.Future[Any]


class RedisLink:
    """Sends commands in the order they are given, as many as wait in one round trip."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            max_connections=2,
        )
        self._timeout_s = timeout_s
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="redis-link")

    async def close(self) -> None:
        """Stop sending; what still waits fails."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        _fail(self._waiting, StoreUnavailableError("the gateway is stopping"))
        await self._redis.aclose()

    def send(self, *command: Argument) -> asyncio.Future[Any]:
        """Queue one command; the future holds its reply.

        Raises:
            StoreUnavailableError: Too many commands wait already. From the future: no reply.
            StoreArgumentError: From the future: our own functions refused an argument.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise StoreUnavailableError(f"{MAX_WAITING} commands already wait for Redis")
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, reply))
        self._wake.set()
        return reply

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                try:
                    await self._round_trip(batch)
                finally:
                    _fail(batch, StoreUnavailableError("the round trip to Redis was cut short"))

    async def _round_trip(self, batch: list[_Waiting]) -> None:
        """Send a batch and take its replies, or fail what has no reply yet; never raises.

        A pipeline of redis-py does the same; it packs commands in Python, at ten times the cost.
        """
        pool = self._redis.connection_pool
        try:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # redis leaves it so
            try:
                packed = [pack_command(w.command) for w in batch]  # type: ignore[arg-type]  # wrong stub
                await connection.send_packed_command(packed)
                await self._take_replies(connection, batch)
            except BaseException:
                # Replies that were not read must not answer the next commands.
                await connection.disconnect(nowait=True)
                raise
            finally:
                await pool.release(connection)
        except Exception as error:  # noqa: BLE001  # whatever it was, the next batch must be sent
            _fail(batch, StoreUnavailableError(f"Redis: {error or type(error).__name__}"))

    async def _take_replies(self, connection: AbstractConnection, batch: list[_Waiting]) -> None:
        """Take the replies in order, each within the timeout after the one before it."""
        loop = asyncio.get_running_loop()
        # One clock that is set anew is cheaper than one for each reply, as redis-py has it.
        async with asyncio.timeout(self._timeout_s) as clock:
            for waiting in batch:
                await _take_reply(connection, waiting.reply)
                clock.reschedule(loop.time() + self._timeout_s)


async def _take_reply(connection: AbstractConnection, reply: asyncio.Future[Any]) -> None:
    try:
        value = await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        if not reply.done():
            reply.set_exception(_as_store_error(error))
            # Whoever gave up on the reply must not leave a warning behind.
            reply.exception()
    else:
        if not reply.done():
            reply.set_result(value)


def _as_store_error(error: Exception) -> Exception:
    if isinstance(error, ResponseError) and str(error).startswith(OWN_ERROR):
        return StoreArgumentError(str(error))
    return StoreUnavailableError(f"Redis: {error}")


def _fail(batch: "list[_Waiting] | deque[_Waiting]", error: Exception) -> None:
    for waiting in batch:
        if not waiting.reply.done():
            waiting.reply.set_exception(error)
            waiting.reply.exception()
