"""`python -m budget.verify`: whether the ledger sums to the counters; calls may go on meanwhile.

Reads the store of BUDGET_REDIS_URL itself. With `--export FILE` the file stands for the ledger's
beginning, and the store for what came after it.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from budget.control.entries import is_entry_line, read_entry_line
from budget.control.ledger import verification_document
from budget.errors import StoreUnavailableError
from budget.ledger_sums import LedgerSums
from budget.settings import Settings
from budget.store.link import RedisLink
from budget.store.reading import Reading
from serving.errors import StartError, refuse
from serving.settings import read_settings


def main() -> None:
    """Print the result as JSON; 0 exact, 1 not, 2 not to be told."""
    parser = argparse.ArgumentParser(prog="python -m budget.verify", description=__doc__)
    parser.add_argument("--export", type=Path, metavar="FILE", help="an exported ledger")
    arguments = parser.parse_args()
    try:
        sums = LedgerSums() if arguments.export is None else read_export(arguments.export)
        sys.exit(asyncio.run(_verify(read_settings(Settings).redis_url, sums)))
    except (StartError, StoreUnavailableError) as error:
        refuse("budget.verify", StartError(str(error)))


def read_export(path: Path) -> LedgerSums:
    """Sum up an exported ledger; ends of exports in it are passed over.

    Raises:
        StartError: It can't be read, or an entry is missing or spoilt: the line is named.
    """
    sums = LedgerSums()
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    if is_entry_line(line):
                        sums.add(read_entry_line(line))
                except ValueError as error:
                    raise StartError(f"{path}, line {number}: {error}") from None
    except OSError as error:
        raise StartError(str(error)) from None
    return sums


async def _verify(redis_url: str, sums: LedgerSums) -> int:
    link = RedisLink(redis_url)
    link.start()
    try:
        document = await verification_document(Reading(link), sums)
    finally:
        await link.close()
    sys.stdout.write(json.dumps(document.model_dump(mode="json"), indent=2) + "\n")
    return {True: 0, False: 1, None: 2}[document.exact]


if __name__ == "__main__":
    main()
