"""A relay that cuts the connection at a chosen message, before it arrives or before its answer.

So a failure falls into the window that a kill at random seldom meets: a write that was not done, or
one that was done and never acknowledged.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from tests.endurance.relay import Reader, Relay, Writer

_CHUNK = 1 << 16


class Cut(Enum):
    """What becomes of the message."""

    # It never arrives.
    REFUSED = auto()
    # It arrives, and its answer does not.
    UNANSWERED = auto()


@dataclass(slots=True)
class Window:
    """One failure.

    Attributes:
        markers: All of them are in the message.
        spared: So many of such messages pass first.
        cut: How the next one fails.
        times: How many more fail; those that follow pass.
        met: How many have failed.
    """

    markers: tuple[bytes, ...]
    spared: int
    cut: Cut
    times: int = 1
    met: int = 0

    def meets(self, data: bytes) -> bool:
        """Tell whether this message is to fail, and count it."""
        if self.met == self.times or not all(each in data for each in self.markers):
            return False
        if self.spared:
            self.spared -= 1
            return False
        self.met += 1
        return True


class CuttingRelay(Relay):
    """A relay with windows in which it fails."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.windows: list[Window] = []

    async def pump_both(self, down: tuple[Reader, Writer], up: tuple[Reader, Writer]) -> None:
        """Relay until either side ends, or a window is met."""
        reader, writer = down
        up_reader, up_writer = up
        unanswered = asyncio.Event()

        async def ask() -> None:
            with suppress(OSError):
                while data := await reader.read(_CHUNK):
                    cuts = [each.cut for each in self.windows if each.meets(data)]
                    if Cut.REFUSED in cuts:
                        return
                    if cuts:
                        unanswered.set()
                    up_writer.write(data)
                    await up_writer.drain()

        async def answer() -> None:
            with suppress(OSError):
                while data := await up_reader.read(_CHUNK):
                    if unanswered.is_set():
                        return
                    writer.write(data)
                    await writer.drain()

        await self.first_to_end(ask(), answer())
