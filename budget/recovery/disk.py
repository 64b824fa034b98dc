"""A journal's folder: one owner at a time, files that are only appended to, and read.

Blocking; used by one thread at a time. A record that was not written whole when the machine stopped
is cut off; one that is damaged before others that are whole is reported and left alone.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Final

import structlog

from budget.recovery.errors import JournalDirError
from budget.recovery.memory import ENTRY, HEAD, Memory
from budget.recovery.records import Record, encode, scan

log = structlog.get_logger(__name__)

SEGMENT_BYTES: Final = 64 << 20
KEEP_MS: Final = 7 * 86_400_000
MOST_SHOWN_DAMAGES: Final = 20


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a journal can't be read."""

    file: str
    position: int


class Disk:
    """The files of one gateway's journal.

    Args:
        folder: `BUDGET_JOURNAL_DIR`; made when it is not there.
        segment_bytes: How large a file grows before the next one begins.

    Attributes:
        gateway: This gateway's id, which the folder keeps.
        memory: What the records add up to.
        damages: Where they can't be read.
        cut_bytes: How much of a record that was not whole was cut off at the start.

    Raises:
        JournalDirError: It can't be used, or another gateway uses it.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder.resolve()
        self.memory = Memory()
        self.damages: list[Damage] = []
        self.cut_bytes = 0
        self._is_torn = False
        self._segment_bytes = segment_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.folder)
            self.gateway = _gateway_id(self.folder)
            self._open_last()
        except (OSError, ValueError) as error:
            raise JournalDirError(f"BUDGET_JOURNAL_DIR={folder}: {error}") from None

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._file)
        os.close(self._lock)

    def write(self, records: Iterable[Record], *, sync: bool) -> None:
        """Append records; when told, return only once the disk has them.

        They are added to `memory` by whoever owns it.

        Raises:
            OSError: Not all were written; none of them counts, and the next write begins after
                what was there before, or fails too as long as that can't be done.
        """
        data = b"".join(map(encode, records))
        self._mend()
        try:
            _write_all(self._file, data)
            if sync:
                os.fdatasync(self._file)
        except OSError:
            self._is_torn = True
            with contextlib.suppress(OSError):
                self._mend()
            raise
        self._size += len(data)

    def _mend(self) -> None:
        """Cut what a write that failed has left: a record that follows it would be unreadable."""
        if self._is_torn:
            os.ftruncate(self._file, self._size)
            self._is_torn = False

    @property
    def is_full(self) -> bool:
        """Whether it is time for the next file."""
        return self._size >= self._segment_bytes

    def rotate(self, head: Record) -> None:
        """Begin the next file with all that is known; when that fails the present one goes on."""
        try:
            self._begin_segment(head)
        except OSError as error:
            log.error("journal_not_rotated", reason=str(error))  # noqa: TRY400  # no defect

    def entries(self, after: int, upto: int) -> dict[int, Record]:
        """Return the entries of the ledger in `after < seq <= upto`."""
        found: dict[int, Record] = {}
        for path in self._segments_with(after, upto):
            for each in scan(path.read_bytes()):
                record = each.record
                if record is None:
                    continue
                if record["k"] == ENTRY and after < record["seq"] <= upto:
                    found[record["seq"]] = record
                elif record["k"] == "ledger" and not record["continues"]:
                    found.clear()
        return found

    def drop_before(self, now_unix_ms: int, oldest_kept: int) -> None:
        """Remove files that nothing is likely to ask for again.

        Every entry in them is older than KEEP_MS, and one that the ledger in Redis, whose oldest
        entry is given, has dropped too. What can't be removed is tried again the next time.
        """
        try:
            self._drop_before(now_unix_ms, oldest_kept)
        except OSError as error:
            log.error("journal_not_dropped", reason=str(error))  # noqa: TRY400  # no defect

    def _drop_before(self, now_unix_ms: int, oldest_kept: int) -> None:
        paths = self._segments()
        for path, following in pairwise(paths):
            is_old = path.stat().st_mtime * 1000 < now_unix_ms - KEEP_MS
            if not is_old or _head(following)["last"] >= oldest_kept:
                return
            path.unlink()
            log.info("journal_dropped", file=path.name)

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.journal"))

    def _segments_with(self, after: int, upto: int) -> Iterator[Path]:
        paths = self._segments()
        heads = [_head(path) for path in paths]
        for place, path in enumerate(paths):
            is_last = place + 1 == len(paths)
            same_ledger = is_last or heads[place + 1]["epoch"] == heads[place]["epoch"]
            last = upto if is_last else heads[place + 1]["last"]
            if not same_ledger or (heads[place]["upto"] < upto and last > after):
                yield path

    def _open_last(self) -> None:
        paths = self._segments()
        if not paths:
            self._number = 0
            self._begin_segment(self.memory.head())
            return
        self._number = int(paths[-1].stem)
        data, whole, damaged = paths[-1].read_bytes(), 0, list[int]()
        for found in scan(data):
            if found.record is None:
                damaged.append(found.position)
                continue
            self.damages += [Damage(paths[-1].name, p) for p in damaged if p < found.position]
            damaged.clear()
            self.memory.add(found.record)
            whole = found.end
        if not whole:
            raise ValueError(f"{paths[-1].name} has no record that can be read: restore or move it")
        self.damages = self.damages[:MOST_SHOWN_DAMAGES]
        self.cut_bytes = len(data) - whole
        self._file = os.open(paths[-1], os.O_RDWR | os.O_APPEND)
        if self.cut_bytes:
            log.warning("journal_tail_cut", file=paths[-1].name, bytes=self.cut_bytes)
            os.ftruncate(self._file, whole)
            os.fsync(self._file)
        for damage in self.damages:
            log.error("journal_damaged", file=damage.file, position=damage.position)
        self._size = whole

    def _begin_segment(self, head: Record) -> None:
        """Have the next file on disk, under its name, before it is used."""
        number = self._number + 1
        path = self.folder / f"{number:08d}.journal"
        unborn = path.with_suffix(".new")
        data = encode(head)
        file = os.open(unborn, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        _write_all(file, data)
        os.fsync(file)
        unborn.rename(path)
        _sync_folder(self.folder)
        if self._number:
            os.fdatasync(self._file)
            os.close(self._file)
        self._file, self._number, self._size = file, number, len(data)
        self._is_torn = False


def _head(path: Path) -> Record:
    with path.open("rb") as file:
        found = next(scan(file.readline()))
    if found.record is None or found.record["k"] != HEAD:
        return {"epoch": "?", "upto": 0, "last": sys.maxsize}
    return found.record


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock(folder: Path) -> int:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415  # not there on Windows

        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise ValueError("another gateway uses it: give each a folder of its own") from None
    return lock


def _gateway_id(folder: Path) -> str:
    path = folder / "gateway.json"
    if not path.exists():
        unborn = path.with_suffix(".new")
        unborn.write_text(json.dumps({"gateway": token_hex(8)}) + "\n", "utf-8")
        with unborn.open("rb") as file:
            os.fsync(file.fileno())
        unborn.rename(path)
        _sync_folder(folder)
    gateway = json.loads(path.read_text("utf-8"))["gateway"]
    if not isinstance(gateway, str) or not gateway.isalnum():
        raise ValueError(f"{path.name} names no gateway")
    return gateway
