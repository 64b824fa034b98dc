"""A relay of bytes between worker and sidecar that spares the SDK its backoff of up to 15 s.

A connection that comes while the sidecar is away is held until it is back; one whose sidecar dies
ends at once. So the worker connects again within milliseconds of the sidecar's return.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeAlias

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
_CHUNK = 1 << 16
_LOOK_S = 0.01


class Relay:
    """Relays from a port of its own to the sidecar's; made on a running loop."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._open: set[Writer] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take no further connection, and end those there are."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """End all connections, as a failing network does."""
        for each in list(self._open):
            each.transport.abort()

    async def _accept(self, reader: Reader, writer: Writer) -> None:
        self._open.add(writer)
        try:
            # Cancelled at the end of the loop alone.
            with suppress(OSError, asyncio.CancelledError):
                up_reader, up_writer = await self._connect(writer)
                self._open.add(up_writer)
                try:
                    await self.pump_both((reader, writer), (up_reader, up_writer))
                finally:
                    self._open.discard(up_writer)
                    up_writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _connect(self, writer: Writer) -> tuple[Reader, Writer]:
        while not writer.transport.is_closing():
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self._target_port)
            await asyncio.sleep(_LOOK_S)
        raise ConnectionAbortedError

    async def pump_both(self, down: tuple[Reader, Writer], up: tuple[Reader, Writer]) -> None:
        """Relay until either side ends."""
        await self.first_to_end(_pump(down[0], up[1]), _pump(up[0], down[1]))

    async def first_to_end(self, *ways: Coroutine[None, None, None]) -> None:
        """Run both ways until one of them ends."""
        tasks = [asyncio.create_task(each) for each in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: Reader, writer: Writer) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
