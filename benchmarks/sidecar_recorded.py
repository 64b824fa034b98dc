"""What real Dapr did on two cores, and what the sidecar is not to exceed.

Recorded on release binaries of daprd, scheduler and placement with Redis, an app of the same SDK
and a driver, all on one machine of two cores, without proxy or TTL: two rounds each, ±30 %.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recorded:
    """Means of the rounds, maxima where the name says so.

    Attributes:
        activities_per_s: 200 workflows of 5 empty activities at once.
        cpu_ms: CPU of daprd, scheduler, placement and Redis, an activity of that load.
        sequential_ms: An activity of 20 such workflows one after the other, start and wait
            included.
        start_p50_s: Median of StartInstance while the 200 are started at once.
        start_max_s: The longest of them.
    """

    activities_per_s: float | None = None
    cpu_ms: float | None = None
    sequential_ms: float | None = None
    start_p50_s: float | None = None
    start_max_s: float | None = None


RECORDED = {
    "1.16.1": Recorded(280.0, 4.0, 11.6, 0.22, 0.43),
    "1.18.3": Recorded(307.0, 3.5, 7.4, 0.25, 0.41),
}
NOT_RECORDED = Recorded()
# A limit that the project has set itself, for what was not recorded.
SLEEPERS_MB = 500.0
# What an app on the SDK receives at most in one message, which is a whole history.
HISTORY_MB = 4.0
