"""The queue of stops at the source, in Redis: any gateway may take one, one at a time does.

A stop that was taken is due again when its lease ends, so it survives whoever took it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from budget.instances import DeletedJob, StopState
from budget.store import library
from budget.store.library import META, STOPS, TRIPS, id_in
from budget.store.link import RedisLink
from metering.chat import decode_json, encode_json

MAX_SHOWN_JOBS: Final = 100
_FIELDS: Final = 6


@dataclass(frozen=True, slots=True)
class TakenStop:
    """One attempt that this gateway is to make.

    Attributes:
        key: Where the stop is kept.
        instance: Which one is to be stopped.
        app: The application that it belongs to; empty when no call told.
        requested_unix_ms: When it was asked for, by the store's clock.
        attempt: From 1.
        jobs: What earlier attempts deleted.
    """

    key: str
    instance: str
    app: str
    requested_unix_ms: int
    attempt: int
    jobs: tuple[DeletedJob, ...] = ()


@dataclass(frozen=True, slots=True)
class StopReport:
    """What came of an attempt.

    Attributes:
        state: `pending` when there is to be another one.
        deleted: The jobs that it deleted.
        jobs_left: What a listing after that still showed; None when there was none.
        error: Why it was not enough; empty when it was.
        retry_after_ms: When the next attempt is due.
    """

    state: StopState
    deleted: tuple[DeletedJob, ...] = ()
    jobs_left: int | None = None
    error: str = ""
    retry_after_ms: int = 0


class StopQueue:
    """Stops that are to be made; raises `StoreUnavailableError` without the store."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def take(self, most: int, lease_ms: int) -> tuple[TakenStop, ...]:
        """Take stops of one app that are due, for this gateway alone until the lease ends."""
        row = await library.call(self._link, "take_stops", (STOPS,), most, lease_ms)
        return tuple(_taken(row[i : i + _FIELDS]) for i in range(0, len(row), _FIELDS))

    async def report(
        self, stop: TakenStop, report: StopReport, deadline_ms: int
    ) -> StopState | None:
        """Say what came of it; by the store's clock, no attempt follows after the deadline.

        Returns its state; None when it was resumed, or another gateway took it.
        """
        jobs = (stop.jobs + report.deleted)[:MAX_SHOWN_JOBS]
        left = "" if report.jobs_left is None else report.jobs_left
        state = await library.call(
            self._link,
            "report_stop",
            (META, TRIPS, stop.key, STOPS),
            *(stop.requested_unix_ms, stop.attempt, report.state, len(report.deleted), left),
            encode_json([asdict(job) for job in jobs]).decode(),
            *(report.error, report.retry_after_ms, deadline_ms),
        )
        return StopState(state) if state else None


def read_jobs(text: str) -> tuple[DeletedJob, ...]:
    """Read jobs as they are kept."""
    return tuple(DeletedJob(**job) for job in decode_json(text))


def _taken(row: Sequence[str]) -> TakenStop:
    key, instance, app, requested, attempt, jobs = row
    assert instance == id_in(key)  # noqa: S101  # the functions write both
    return TakenStop(key, instance, app, int(requested), int(attempt), read_jobs(jobs))
