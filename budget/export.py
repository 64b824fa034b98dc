"""`python -m budget.export`: appends the ledger to a JSONL file, or writes it to standard output.

Reads the store of BUDGET_REDIS_URL itself. An export that was cut short, in the middle of a line
too, is continued without a gap and without a repeated entry.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import IO, Final

from budget.control.entries import entry_line, read_entry_line
from budget.errors import StoreUnavailableError
from budget.settings import Settings
from budget.store.link import RedisLink
from budget.store.reading import Reading
from serving.errors import StartError, refuse
from serving.settings import read_settings

PAGE: Final = 500
TAIL_BYTES: Final = 1 << 20


def main() -> None:
    """Export, and say on standard error where it ended; 1 when entries were missing."""
    parser = argparse.ArgumentParser(prog="python -m budget.export", description=__doc__)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--after", type=int, default=0, help="begin after this entry")
    place.add_argument("--append", type=Path, metavar="FILE", help="continue this file")
    arguments = parser.parse_args()
    try:
        sys.exit(_export(read_settings(Settings).redis_url, arguments.after, arguments.append))
    except (StartError, StoreUnavailableError) as error:
        refuse("budget.export", StartError(str(error)))


def _export(redis_url: str, after: int, path: Path | None) -> int:
    if path is None:
        return asyncio.run(_write(redis_url, after, sys.stdout.buffer))
    with path.open("a+b") as file:
        after = continue_after(file)
        status = asyncio.run(_write(redis_url, after, file))
        os.fsync(file.fileno())
        return status


def continue_after(file: IO[bytes]) -> int:
    """Cut off a last line that is not whole, and return the last entry's number; 0 without one.

    Raises:
        StartError: The file is no exported ledger.
    """
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - TAIL_BYTES))
    tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    if not whole and start:
        raise StartError(f"the last line is longer than {TAIL_BYTES} bytes: no exported ledger")
    file.truncate(start + len(whole))
    lines = whole.splitlines()
    if not lines:
        return 0
    try:
        return read_entry_line(lines[-1]).seq
    except ValueError:
        raise StartError("the file's last line is no entry of a ledger") from None


async def _write(redis_url: str, after: int, out: IO[bytes]) -> int:
    link = RedisLink(redis_url)
    link.start()
    try:
        return await _copy(Reading(link), after, out)
    finally:
        await link.close()


async def _copy(reading: Reading, after: int, out: IO[bytes]) -> int:
    until, dropped = await reading.newest_seq(), 0
    while after < until:
        page = await reading.ledger(after, PAGE)
        if not page.entries:
            dropped += until - after
            break
        dropped += page.dropped
        out.writelines(entry_line(entry) for entry in page.entries)
        after = page.entries[-1].seq
    out.flush()
    gap = f"; {dropped} entries before it were no longer in the store" if dropped else ""
    sys.stderr.write(f"exported to entry {after}{gap}\n")
    return 1 if dropped else 0


if __name__ == "__main__":
    main()
