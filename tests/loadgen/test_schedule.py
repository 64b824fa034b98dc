import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.schedule import Schedule, Ticket


def drained(schedule: Schedule) -> list[Ticket]:
    tickets = []
    while (ticket := schedule.take()) is not None:
        tickets.append(ticket)
    return tickets


def test_starts_come_at_the_rate_on_an_absolute_schedule() -> None:
    """The n-th start is due (n-1)/rate after the beginning, however late the one before was."""
    tickets = drained(Schedule(workflows=4, rate_per_s=2))
    assert [(ticket.number, ticket.at_s) for ticket in tickets] == [
        (1, 0.0),
        (2, 0.5),
        (3, 1.0),
        (4, 1.5),
    ]


def test_a_drained_schedule_stays_empty() -> None:
    """Never more workflows than were asked for."""
    schedule = Schedule(workflows=1, rate_per_s=1)
    assert [schedule.take() is None for _ in range(3)] == [False, True, True]


@given(workflows=st.integers(1, 60), shares=st.integers(1, 7))
def test_the_shares_of_a_distributed_run_are_the_whole_run(workflows: int, shares: int) -> None:
    """Each start belongs to exactly one process, at the time it has in a run of one process."""
    whole = drained(Schedule(workflows=workflows, rate_per_s=3))
    parts = [
        ticket
        for share in range(shares)
        for ticket in drained(
            Schedule(workflows=workflows, rate_per_s=3, share=share, shares=shares)
        )
    ]
    assert sorted(parts, key=lambda ticket: ticket.number) == whole


def test_a_share_beyond_the_run_is_empty() -> None:
    """More processes than workflows is no error."""
    assert Schedule(workflows=2, rate_per_s=1, share=5, shares=6).take() is None


@pytest.mark.parametrize("rate_per_s", [0.001, 1000.0])
def test_the_first_start_is_due_at_once(rate_per_s: float) -> None:
    """No rate delays the beginning."""
    assert Schedule(workflows=1, rate_per_s=rate_per_s).take() == Ticket(1, 0.0)
