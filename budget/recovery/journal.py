"""A gateway's journal: concurrent records share one write and one disk sync, off the event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from budget.recovery.disk import Disk
from budget.recovery.errors import JournalError
from budget.recovery.memory import LEDGER, Memory
from budget.recovery.records import Record

MAX_WAITING: Final = 50_000
DEADLINE_S: Final = 2.0
"""How long the disk may take for one thing: a call waits for two at most, and its hold lives on."""


class Journal:
    """Appends records.

    Args:
        disk: The files; closed here.
        deadline_s: How long it may take for one thing before who waits is told that it hangs.

    Attributes:
        disk: The same; only read by others.
        failure: Why the last write did not succeed; None when it did.
    """

    def __init__(self, disk: Disk, *, deadline_s: float = DEADLINE_S) -> None:
        self.disk = disk
        self.failure: str | None = None
        self._deadline_s = deadline_s
        self._hangs = False
        self._thread = ThreadPoolExecutor(1, "journal")
        self._waiting: list[Record] = []
        self._told: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def memory(self) -> Memory:
        """What is on disk, in short."""
        return self.disk.memory

    def start(self) -> None:
        """Begin to write; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="journal")

    async def close(self) -> None:
        """Write what waits, and let the folder go."""
        with contextlib.suppress(JournalError):
            await self.write(())
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown()
        self.disk.close()

    async def write(self, records: Sequence[Record]) -> None:
        """Append records; return when the disk has them, and all before them.

        Raises:
            JournalError: It did not take them, or not in time: then it may have them later.
        """
        if self._hangs:
            raise JournalError(self._hanging())
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(records)
        self._told.append(told)
        await told

    def note(self, record: Record) -> None:
        """Append a record with the next write; what is not taken is read anew from Redis."""
        if len(self._waiting) < MAX_WAITING:
            self._put((record,))

    async def change_ledger(self, epoch: str, *, continues: bool, upto: int = 0) -> None:
        """Go on with another ledger.

        Raises:
            JournalError: The disk did not take it.
        """
        await self.write([{"k": LEDGER, "epoch": epoch, "continues": continues, "upto": upto}])

    async def entries(self, after: int, upto: int) -> dict[int, Record]:
        """Return the entries in `after < seq <= upto`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.disk.entries, after, upto)

    async def drop_before(self, now_unix_ms: int, oldest_kept: int) -> None:
        """Remove files that nothing is likely to ask for again; see `Disk.drop_before`.

        A slow disk is not waited for beyond the deadline.
        """
        loop = asyncio.get_running_loop()
        drop = self.disk.drop_before
        dropping = loop.run_in_executor(self._thread, drop, now_unix_ms, oldest_kept)
        await asyncio.wait({dropping}, timeout=self._deadline_s)

    def _put(self, records: Sequence[Record]) -> None:
        if len(self._waiting) + len(records) > MAX_WAITING:
            raise JournalError(f"{MAX_WAITING} records already wait for the journal's disk")
        self._waiting.extend(records)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or self._told:
                # What becomes ready in this turn of the loop shares the sync.
                await asyncio.sleep(0)
                records, self._waiting = self._waiting, []
                told, self._told = self._told, []
                await self._write(records, told)

    async def _write(self, records: list[Record], told: list[asyncio.Future[None]]) -> None:
        try:
            await self._do(lambda: self.disk.write(records, sync=bool(told)), told)
        except Exception as error:  # noqa: BLE001  # whatever it was, the next records must be written
            self.failure = f"the journal in {self.disk.folder} can't be written: {error}"
            _tell(told, JournalError(self.failure))
        except BaseException:
            _tell(told, JournalError("the gateway is stopping"))
            raise
        else:
            self.failure = None
            for record in records:
                self.memory.add(record)
            _tell(told, None)
        if self.disk.is_full:
            head = self.memory.head()
            await self._do(lambda: self.disk.rotate(head), [])

    async def _do(self, work: Callable[[], None], told: list[asyncio.Future[None]]) -> None:
        """Do it in the thread; once it takes too long nobody waits for it but this."""
        doing = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            done, _ = await asyncio.wait({doing}, timeout=self._deadline_s)
            if not done:
                self._hangs, self.failure = True, self._hanging()
                waiting, self._told = self._told, []
                _tell([*told, *waiting], JournalError(self.failure))
            await doing
        finally:
            self._hangs = False

    def _hanging(self) -> str:
        return (
            f"the disk of the journal in {self.disk.folder} took more than {self._deadline_s:g} s"
        )


def _tell(told: list[asyncio.Future[None]], error: JournalError | None) -> None:
    for future in told:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
            future.exception()
