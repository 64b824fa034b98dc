"""One connection to Redis on which concurrent commands share writes, and so disk syncs.

Commands are written as they come, whatever is still to be answered. Every one is answered, or fails
with `StoreUnavailableError`, within a bounded time; none is ever sent twice, because the first one
may have been carried out.
"""

import asyncio
import contextlib
import math
from collections import deque
from typing import Any, Final, NamedTuple, NoReturn

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from budget.errors import StoreArgumentError, StoreUnavailableError

Argument = str | int

TIMEOUT_S: Final = 1.0
"""How long no reply may come while one is due, and how long connecting may take."""
LONGEST_WAIT_S: Final = 5.0
"""How long one command may wait while others are answered."""
LOOK_S: Final = 0.05
"""How often that is looked at. Waits are counted in looks: a pause of this process is only one."""
MAX_WAITING: Final = 8192
OWN_ERROR: Final = "budget: "


class _Waiting(NamedTuple):
    command: bytes
    reply: asyncio.Future[Any]
    since: int


class RedisLink:
    """Sends commands in the order they are given; those of one turn of the loop in one write."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            decode_responses=True,
            socket_timeout=None,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._timeout_s = timeout_s
        self._to_send: deque[_Waiting] = deque()
        self._sent: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._looks = 0
        self._last_reply = 0
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
        self._fail_all(StoreUnavailableError("the gateway is stopping"))

    def send(self, *command: Argument) -> asyncio.Future[Any]:
        """Queue one command; the future holds its reply.

        Raises:
            StoreUnavailableError: Too many commands wait already. From the future: no reply.
            StoreArgumentError: From the future: our own functions refused an argument.
        """
        if len(self._to_send) + len(self._sent) >= MAX_WAITING:
            raise StoreUnavailableError(f"{MAX_WAITING} commands already wait for Redis")
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            packed = pack_command(command)  # type: ignore[arg-type]  # wrong stub
        except Exception as error:  # noqa: BLE001  # it is this command's alone
            _fail(reply, StoreUnavailableError(f"Redis: {error}"))
        else:
            self._to_send.append(_Waiting(packed, reply, self._looks))
            self._wake.set()
        return reply

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            try:
                await self._exchange()
            except Exception as error:  # noqa: BLE001  # whatever it was, the next one must be sent
                found = _first(error)
                reason = StoreUnavailableError(f"Redis: {found or type(found).__name__}")
            else:
                reason = StoreUnavailableError("the connection to Redis was cut short")
            self._wake.clear()
            self._fail_all(reason)

    async def _exchange(self) -> None:
        """Connect, and send and receive until that fails."""
        connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis leaves it so
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.connect()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(connection))
                tasks.create_task(self._read(connection))
                tasks.create_task(self._watch())
        finally:
            await connection.disconnect(nowait=True)

    async def _write(self, connection: AbstractConnection) -> NoReturn:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self._sent:
                self._last_reply = self._looks
            batch = list(self._to_send)
            self._to_send.clear()
            self._sent.extend(batch)
            packed = b"".join([waiting.command for waiting in batch])
            await connection.send_packed_command(packed, check_health=False)

    async def _read(self, connection: AbstractConnection) -> NoReturn:
        """Give each command the next reply, which is its own."""
        while True:
            try:
                value = await connection.read_response(timeout=math.inf)
            except ResponseError as error:
                _fail(self._sent.popleft().reply, _as_store_error(error))
            else:
                reply = self._sent.popleft().reply
                if not reply.done():
                    reply.set_result(value)
            self._last_reply = self._looks

    async def _watch(self) -> NoReturn:
        """Give up a connection on which nothing comes, or not in time."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._looks += 1
            if not self._sent:
                continue
            if (self._looks - self._last_reply) * LOOK_S > self._timeout_s:
                raise TimeoutError(f"no reply for {self._timeout_s:g} s")
            if (self._looks - self._sent[0].since) * LOOK_S > LONGEST_WAIT_S:
                raise TimeoutError(f"a reply took longer than {LONGEST_WAIT_S:g} s")

    def _fail_all(self, error: StoreUnavailableError) -> None:
        for waiting in (*self._sent, *self._to_send):
            _fail(waiting.reply, error)
        self._sent.clear()
        self._to_send.clear()


def _first(error: BaseException) -> BaseException:
    """Return what came first in a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _as_store_error(error: ResponseError) -> Exception:
    if str(error).startswith(OWN_ERROR):
        return StoreArgumentError(str(error))
    return StoreUnavailableError(f"Redis: {error}")


def _fail(reply: asyncio.Future[Any], error: Exception) -> None:
    if not reply.done():
        reply.set_exception(error)
        # Whoever gave up on the reply must not leave a warning behind.
        reply.exception()
