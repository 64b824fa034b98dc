"""Keeps the stream of due jobs running, but while it is cut on purpose."""

import asyncio
from collections.abc import Awaitable, Callable


class SchedulerLink:
    """Runs a watch; to cut it is to cancel it.

    Args:
        watch: Watches for due jobs until it is cancelled; can be begun again.
    """

    def __init__(self, watch: Callable[[], Awaitable[None]]) -> None:
        self._watch = watch
        self._joined = asyncio.Event()
        self._joined.set()
        self._running: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            while not self._joined.is_set():
                # It may be cut anew by the time that it wakes.
                await self._joined.wait()
            self._running = asyncio.ensure_future(self._watch())
            try:
                await asyncio.wait([self._running])
            finally:
                self._running.cancel()
                await asyncio.wait([self._running])
            if not self._running.cancelled():
                # A watch ends by itself only where it fails.
                self._running.result()

    def cut(self) -> bool:
        """End the stream; what is out on it goes back. False when there was none."""
        self._joined.clear()
        return self._running is not None and self._running.cancel()

    def join(self) -> None:
        """Open a stream again."""
        self._joined.set()
