from typing import Any

import pytest

from loadgen.guard import BLIND_LIMIT_S, BudgetState, Ledger, Meter, format_usd


def budget(nano_usd: int, cut_off_unix_ms: int | None = None) -> BudgetState:
    first = {"cut_off_unix_ms": cut_off_unix_ms, "spent": {"nano_usd": nano_usd}}
    return BudgetState.from_json({"mode": "cap", "budgets": [first, {"scope": "instance"}]})


def test_a_run_pays_for_itself_alone() -> None:
    """What was spent before the run's first reading is not the run's."""
    meter = Meter()
    meter.read(Ledger(10, 2, 1_000), budget(1_000), now_s=0)
    meter.read(Ledger(13, 3, 1_500), budget(1_400), now_s=1)
    assert meter.used == Ledger(3, 1, 500)
    assert meter.spent_nano_usd == 500


def test_a_ledger_that_was_reset_begins_again() -> None:
    """A total below the first reading is never a negative spend."""
    meter = Meter()
    meter.read(Ledger(10, 2, 1_000), None, now_s=0)
    meter.read(Ledger(1, 0, 40), None, now_s=1)
    assert meter.used == Ledger(1, 0, 40)


def test_what_was_spent_before_a_reset_stays_spent() -> None:
    """A restarted ledger goes on from what the run had spent, however often it restarts."""
    meter = Meter()
    for total in (
        Ledger(10, 2, 1_000),
        Ledger(30, 6, 9_000),
        Ledger(20, 1, 2_000),
        Ledger(21, 1, 2_500),
        Ledger(1, 0, 3),
    ):
        meter.read(total, None, now_s=0)
    assert meter.used == Ledger(20 + 21 + 1, 4 + 1 + 0, 8_000 + 2_500 + 3)


def test_a_restart_of_the_ledger_does_not_raise_the_limit() -> None:
    """What the run spent before and after the restart is held to the limit together."""
    meter = Meter()
    for nano_usd in (0, 60, 41):
        meter.read(Ledger(nano_usd, 0, nano_usd), None, now_s=0)
    assert meter.reason_to_stop(101, now_s=0) is None
    assert meter.reason_to_stop(100, now_s=0) is not None


def test_what_the_budget_counted_before_it_was_emptied_stays_spent() -> None:
    """A budget below its first reading is a new one; a correction of its own is not."""
    meter = Meter()
    for nano_usd in (1_000, 1_500, 1_400, 30):
        meter.read(None, budget(nano_usd), now_s=0)
    assert meter.spent_nano_usd == 400 + 30


def test_the_service_that_counted_more_is_believed() -> None:
    """The guard sees a spend that only one of both services sees."""
    meter = Meter()
    meter.read(Ledger(0, 0, 0), budget(0), now_s=0)
    meter.read(None, budget(70), now_s=1)
    assert meter.spent_nano_usd == 70


@pytest.mark.parametrize(("limit", "stops"), [(99, True), (100, False), (101, False)])
def test_a_run_stops_above_its_limit_and_not_at_it(limit: int, stops: bool) -> None:  # noqa: FBT001
    """The limit itself may be spent, not a nano-dollar more."""
    meter = Meter()
    meter.read(Ledger(0, 0, 0), None, now_s=0)
    meter.read(Ledger(1, 0, 100), None, now_s=1)
    assert (meter.reason_to_stop(limit, now_s=1) is not None) is stops


def test_a_blind_guard_stops_the_run() -> None:
    """With a limit to hold, a run does not go on unseen; one service is sight enough."""
    meter = Meter()
    meter.read(Ledger(0, 0, 0), None, now_s=0)
    meter.read(None, budget(0), now_s=5)
    meter.read(None, None, now_s=5 + BLIND_LIMIT_S)
    assert meter.reason_to_stop(1, now_s=5 + BLIND_LIMIT_S) is None
    assert "answered" in (meter.reason_to_stop(1, now_s=5.1 + BLIND_LIMIT_S) or "")


def test_without_a_limit_nothing_stops_a_run() -> None:
    """The guard guards what it was told to."""
    meter = Meter()
    meter.read(Ledger(0, 0, 0), None, now_s=0)
    meter.read(Ledger(1, 0, 10**18), None, now_s=1)
    assert meter.reason_to_stop(None, now_s=1_000) is None


def test_the_global_budget_is_the_first() -> None:
    """The budget's state in the timeline is that of scope global."""
    assert budget(5, 17) == BudgetState("cap", cut_off=True, nano_usd=5)
    assert BudgetState.from_json({"mode": "observe", "budgets": []}).cut_off is False


@pytest.mark.parametrize("amount", [1.0, "1", None, True])
def test_money_is_a_whole_number_or_no_reading(amount: Any) -> None:
    """A float or a text never becomes an amount."""
    with pytest.raises(TypeError):
        Ledger.from_json({"calls": 1, "duplicate_calls": 0, "nano_usd": amount})


@pytest.mark.parametrize(
    ("nano_usd", "text"), [(0, "0.000000000"), (1, "0.000000001"), (14_660_000, "0.014660000")]
)
def test_dollars_have_nine_decimals(nano_usd: int, text: str) -> None:
    """Amounts read the same in every file of a run."""
    assert format_usd(nano_usd) == text
