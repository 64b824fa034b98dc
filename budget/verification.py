"""Compares the ledger's sums with the counters of every scope that it names, while calls go on.

Counters of some scopes are read together with the number of the last entry at one moment; the sums
are then brought to exactly that entry before they are compared. So nothing has to stand still, and
nothing is compared that could have moved in between.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from budget.ledger_sums import LedgerSums, ScopeSums
from budget.reservations import ScopeTotals
from budget.store.reading import Reading

PAGE: Final = 100
"""Few enough that the calls of a gateway that verifies wait milliseconds, not more."""

SCOPES_AT_ONCE: Final = 100
MOST_DIFFERENCES: Final = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """A scope whose counters are not what the ledger says.

    Attributes:
        key: The scope's key.
        at_seq: The entry at which they were compared.
        counters: What the store counts.
        ledger: What the entries sum to.
    """

    key: str
    at_seq: int
    counters: ScopeTotals
    ledger: ScopeSums


@dataclass(slots=True)
class Verification:
    """What came of it.

    Attributes:
        complete: Whether every entry since the first was there. Without that nothing is compared:
            what earlier entries summed to is not known.
        first_seq, last_seq, entries, unattributed: As in LedgerSums.
        compared: How many scopes were compared.
        differing: How many of them differ.
        differences: The first of those.
    """

    complete: bool
    first_seq: int = 0
    last_seq: int = 0
    entries: int = 0
    unattributed: int = 0
    compared: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether all was compared and nothing differs."""
        return self.complete and not self.differing and not self.unattributed


class GapError(Exception):
    """The bounded ledger no longer holds the next entry."""


async def verify(reading: Reading, sums: LedgerSums | None = None) -> Verification:
    """Sum up the ledger, from where `sums` ends or from its beginning, and compare.

    Raises:
        StoreUnavailableError: No answer.
    """
    sums = LedgerSums() if sums is None else sums
    found = Verification(complete=True)
    try:
        await _add_up_to(reading, sums, await reading.newest_seq())
        if sums.is_complete:
            await _compare(reading, sums, found)
    except GapError:
        found = Verification(complete=False)
    found.complete = found.complete and sums.is_complete
    found.first_seq, found.last_seq = sums.first_seq, sums.last_seq
    found.entries, found.unattributed = sums.entries, sums.unattributed
    return found


async def _add_up_to(reading: Reading, sums: LedgerSums, seq: int) -> None:
    while sums.last_seq < seq:
        page = await reading.ledger(sums.last_seq, min(PAGE, seq - sums.last_seq))
        if not page.entries or (page.dropped and sums.first_seq):
            raise GapError
        for entry in page.entries:
            sums.add(entry)
        await asyncio.sleep(0)


async def _compare(reading: Reading, sums: LedgerSums, found: Verification) -> None:
    """Compare every scope; those that new entries name come last in the dictionary."""
    done = 0
    while keys := list(islice(_from(sums, done), SCOPES_AT_ONCE)):
        seq, totals = await reading.counters(keys)
        await _add_up_to(reading, sums, seq)
        for key, counters in zip(keys, totals, strict=True):
            ledger = sums.scopes[key]
            if (ledger.spent, ledger.reserved) != (counters.spent, counters.reserved):
                found.differing += 1
                if len(found.differences) < MOST_DIFFERENCES:
                    copy = ScopeSums(ledger.spent, ledger.reserved)
                    found.differences.append(Difference(key, seq, counters, copy))
        done += len(keys)
        found.compared = done


def _from(sums: LedgerSums, place: int) -> Iterator[str]:
    return islice(sums.scopes, place, None)
