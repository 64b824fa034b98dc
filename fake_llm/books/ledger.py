"""Who spent what: sums over all calls and by any dimension of the caller.

A tally is kept for each combination of the dimensions that occurs, at most `MAX_CELLS`; calls of
further combinations are summed in one tally and shown as `other`, so that no call is ever lost.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from fake_llm.books.tally import Spend, Tally
from metering.identity import CallerIdentity

MAX_CELLS: Final = 10_000


class Cell(NamedTuple):
    """One combination of the dimensions that `/spend?by=` knows."""

    model: str
    workflow: str
    root: str
    instance: str
    activity: str
    caller: str

    @classmethod
    def of(cls, model: str, identity: CallerIdentity) -> "Cell":
        """Return the cell of a call; `caller` is the application."""
        return cls(
            model,
            identity.workflow,
            identity.root,
            identity.instance,
            identity.activity,
            identity.app,
        )


class Ledger:
    """Tallies of all calls.

    Attributes:
        total: Over everything.
    """

    def __init__(self, max_cells: int = MAX_CELLS) -> None:
        self.total = Tally()
        self._max_cells = max_cells
        self._cells: dict[Cell, Tally] = {}
        self._other = Tally()

    def tally(self, cell: Cell) -> Tally:
        """Return the tally of a combination, or the shared one when there are too many."""
        found = self._cells.get(cell)
        if found is None:
            if len(self._cells) >= self._max_cells:
                return self._other
            found = self._cells[cell] = Tally()
        return found

    def clear(self) -> None:
        """Forget every charge; calls in flight stay counted as such."""
        for tally in self._tallies():
            tally.clear()
        self._cells = {cell: tally for cell, tally in self._cells.items() if tally.in_flight}

    def spend(self, now_second: int) -> Spend:
        """Return the sums over everything."""
        return Spend.of(self.total, now_second)

    def spend_by(
        self, dimension: str, now_second: int, limit: int
    ) -> tuple[list[tuple[str, Spend]], Spend]:
        """Return the sums by one field of `Cell`, dearest first, and those of all the rest."""
        index = Cell._fields.index(dimension)
        groups: dict[str, Spend] = {}
        for cell, tally in self._cells.items():
            key, spend = cell[index], Spend.of(tally, now_second)
            known = groups.get(key)
            groups[key] = spend if known is None else known.plus(spend)
        ranked = sorted(groups.items(), key=lambda item: (-item[1].nano_usd, item[0]))
        rest = Spend.of(self._other, now_second)
        for _, spend in ranked[limit:]:
            rest = rest.plus(spend)
        return ranked[:limit], rest

    def _tallies(self) -> Iterator[Tally]:
        yield self.total
        yield self._other
        yield from self._cells.values()
