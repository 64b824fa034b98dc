from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_llm.books.ledger import Cell, Ledger
from fake_llm.books.tally import Charge, Spend
from metering.identity import CallerIdentity
from metering.usage import Usage

_CALLS = st.lists(st.tuples(st.builds(Cell, *[st.sampled_from("ab")] * 6), st.integers(0, 10**9)))


def _charge(ledger: Ledger, cell: Cell, nano_usd: int) -> None:
    charge = Charge(Usage(2, 1, 3), nano_usd, True, False, 1, 0)  # noqa: FBT003  # a tuple's fields
    ledger.total.add(charge)
    ledger.tally(cell).add(charge)


@given(calls=_CALLS, by=st.sampled_from(Cell._fields), max_cells=st.integers(1, 9))
def test_groups_and_the_rest_add_up_to_the_total(
    calls: list[tuple[Cell, int]], by: str, max_cells: int
) -> None:
    """Whatever is grouped by, however few groups are kept or shown, no call is lost."""
    ledger = Ledger(max_cells)
    for cell, nano_usd in calls:
        _charge(ledger, cell, nano_usd)
    for limit in (1, 100):
        groups, other = ledger.spend_by(by, 0, limit)
        assert len(groups) <= limit
        assert reduce(Spend.plus, (spend for _, spend in groups), other) == ledger.spend(0)


def test_groups_come_dearest_first() -> None:
    """What costs most stands on top; the rest is summed."""
    ledger = Ledger()
    for instance, nano_usd in (("cheap", 1), ("dear", 100), ("middle", 10)):
        _charge(ledger, Cell("m", "w", "r", instance, "a", "c"), nano_usd)
    groups, other = ledger.spend_by("instance", 0, 2)
    assert [(key, spend.nano_usd) for key, spend in groups] == [("dear", 100), ("middle", 10)]
    assert (other.nano_usd, other.calls) == (1, 1)


def test_made_up_names_do_not_fill_memory() -> None:
    """Past the bound, calls are summed together instead of each having its group."""
    ledger = Ledger(max_cells=3)
    for n in range(10):
        _charge(ledger, Cell(f"m{n}", "w", "r", "i", "a", "c"), 1)
    groups, other = ledger.spend_by("model", 0, 100)
    assert [key for key, _ in groups] == ["m0", "m1", "m2"]
    assert other.calls == 7


@pytest.mark.parametrize("field", Cell._fields)
def test_every_dimension_is_what_the_caller_said(field: str) -> None:
    """`caller` is the application; the rest has the identity's own names."""
    identity = CallerIdentity("caller", "workflow", "root", "instance", "activity")
    assert getattr(Cell.of("model", identity), field) == field


def test_clearing_forgets_groups_that_nobody_uses() -> None:
    """A group with a call in flight stays, at zero."""
    ledger = Ledger()
    busy, idle = (Cell(name, "w", "r", "i", "a", "c") for name in ("busy", "idle"))
    for cell in (busy, idle):
        _charge(ledger, cell, 5)
    ledger.tally(busy).in_flight = 1
    ledger.clear()
    groups, other = ledger.spend_by("model", 0, 10)
    assert groups == [("busy", Spend(in_flight=1))]
    assert other == Spend()
    assert ledger.spend(0) == Spend()
