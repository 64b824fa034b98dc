"""What a scenario may do to the system under test, by the option that gives the means."""

from enum import StrEnum


class Need(StrEnum):
    """A handle; its value is the option of the command line."""

    HTTP = "--http"
    REDIS = "--redis"
    SCHEDULER = "--scheduler"
    KILL = "--kill-sidecar"
    STOP = "--stop-sidecar"
    START = "--start-sidecar"
    RESTART_SCHEDULER = "--restart-scheduler"
    TTL = "--set-ttl"
    LOG = "--sidecar-log"


OUTAGE = frozenset({Need.KILL, Need.START})
