"""What was recorded on real Dapr at this size: the rows that the closed form is held to."""

from dataclasses import dataclass
from typing import Final

from lab.projection.volume import HOUR_S

SOURCE: Final = "recorded on real Dapr 1.16.1 and 1.18.3, 2 cores, no gateway"
WINDOW_S: Final = 10


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One recording.

    Attributes:
        version: of daprd, placement and scheduler.
        workflows: workflows that lost their state.
        in_flight: activities in flight in each.
        call_s: how long one execution took.
        away: what was lost, and how long the sidecar was away.
        short_restarts: further short restarts while it was recorded, 30 s apart.
        executions: executions of all activities in each window of 10 s, from the first one that
            came again.
        finding: what each activity did.
    """

    version: str
    workflows: int
    in_flight: int
    call_s: int
    away: str
    executions: tuple[int, ...]
    finding: str
    first_chains: int = 1
    short_restarts: int = 0

    @property
    def per_hour(self) -> int:
        """Executions an hour at the pace of the last window."""
        return self.executions[-1] * HOUR_S // WINDOW_S


MEASURED: Final = (
    MeasuredRow("1.16.1", 50, 1, 10, "TTL 5 s, sidecar away 12 s", (50,) * 8, "one each 10 s"),
    MeasuredRow(
        "1.16.1",
        50,
        1,
        10,
        "Redis and sidecar killed, 10.5 s; retry policy",
        (50,) * 10,
        "the retry policy changes nothing",
    ),
    MeasuredRow(
        "1.16.1",
        50,
        1,
        10,
        "TTL 5 s, sidecar away 0.3 s",
        (100,) * 19,
        "two side by side, for ever",
        first_chains=2,
    ),
    MeasuredRow(
        "1.16.1",
        10,
        1,
        10,
        "the same, then three more short restarts",
        (20, 20, 20, 30, 30, 30, 40, 40, 40, 50, 50, 50, 50),
        "one more side by side after each",
        first_chains=2,
        short_restarts=3,
    ),
    MeasuredRow("1.16.1", 50, 1, 1, "TTL 5 s, sidecar away 5 s", (500,) * 4, "one a second"),
    MeasuredRow(
        "1.16.1",
        1,
        3,
        10,
        "Redis and sidecar killed, 10.5 s; retry policy",
        (3,) * 6,
        "three in flight, one each 10 s",
    ),
    MeasuredRow("1.18.3", 50, 1, 10, "TTL 5 s, back at once", (50, 0), "exactly once more"),
)
