from fractions import Fraction
from itertools import pairwise

import pytest

from lab.projection.measured import MEASURED, WINDOW_S, MeasuredRow
from lab.projection.repetition import Repetition

ENDLESS = [row for row in MEASURED if row.version == "1.16.1"]
RESTARTS_APART_S = 30


@pytest.mark.parametrize("row", ENDLESS, ids=lambda row: f"{row.workflows}-{row.away}")
def test_the_closed_form_is_what_was_recorded(row: MeasuredRow) -> None:
    """Window by window, while its restarts lasted: the same number of executions."""
    restarts = Fraction(86_400, RESTARTS_APART_S) if row.short_restarts else Fraction(0)
    law = Repetition(Fraction(row.call_s), row.first_chains, restarts)
    lasted_s = RESTARTS_APART_S * (row.short_restarts + 1) if row.short_restarts else 10**6
    windows = row.executions[: lasted_s // WINDOW_S]
    activities = row.workflows * row.in_flight
    ends = [Fraction(n * WINDOW_S) for n in range(len(windows) + 1)]
    made = [activities * law.executions(end) for end in ends]
    assert [later - earlier for earlier, later in pairwise(made)] == [*windows]


def test_the_published_rate_and_its_double_were_recorded() -> None:
    """50 workflows with 10-s calls: 18,000 an hour, and 36,000 after a short outage."""
    fifty = {row.away: row.per_hour for row in ENDLESS if (row.workflows, row.call_s) == (50, 10)}
    assert fifty["TTL 5 s, sidecar away 12 s"] == 18_000
    assert fifty["TTL 5 s, sidecar away 0.3 s"] == 36_000


def test_a_fixed_version_was_recorded_to_stop() -> None:
    """On 1.18.3 each of fifty activities came exactly once more."""
    (fixed,) = (row for row in MEASURED if row.version == "1.18.3")
    assert (sum(fixed.executions), fixed.per_hour) == (50, 0)
