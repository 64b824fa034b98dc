"""Stops instances at their source: deletes the scheduler's jobs that feed them, and proves it.

Runs beside the data path and never blocks it: the scheduler is asked from a thread. Each attempt is
bounded; attempts go on, further and further apart, until the jobs are gone or a deadline passes.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from budget.errors import StoreError
from budget.instances import DeletedJob, StopState
from budget.metrics import Metrics
from budget.store.stops import StopQueue, StopReport, TakenStop
from scheduler_api import ActivityJob, SchedulerApiError, SchedulerClient

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
MOST_AT_ONCE: Final = 64
CALL_TIMEOUT_S: Final = 5.0
DELETING_TIMEOUT_S: Final = 15.0
LEASE_MS: Final = 40_000
"""Longer than an attempt, its report included: two listings, deletions in between, the last of them
begun just in time."""

FIRST_RETRY_MS: Final = 500
MOST_RETRY_MS: Final = 5_000
DEADLINE_MS: Final = 15 * 60_000


class SourceStopper:
    """Takes stops from the queue and makes them.

    Args:
        queue: The stops.
        address: The scheduler's `host:port`.
        namespace: The namespace of the apps.
        app_id: The app of an instance whose calls named none; empty when it is not known.
        metrics: Where ends are counted.
        wake: Set when somebody asked for a stop.
        connect: Makes the scheduler's client from its address and the timeout of a call.
    """

    def __init__(
        self,
        queue: StopQueue,
        address: str,
        namespace: str,
        app_id: str,
        metrics: Metrics,
        *,
        wake: asyncio.Event,
        connect: Callable[[str, float], SchedulerClient] = SchedulerClient,
    ) -> None:
        self._queue = queue
        self._address = address
        self._namespace = namespace
        self._app_id = app_id
        self._metrics = metrics
        self._wake = wake
        self._connect = connect

    async def run(self) -> None:
        """Do so for ever."""
        with self._connect(self._address, CALL_TIMEOUT_S) as client:
            while True:
                self._wake.clear()
                try:
                    await self._once(client)
                except StoreError as error:
                    log.warning("stops_wait_for_the_store", reason=str(error))
                except Exception:
                    # Without its stopper a gateway would refuse runaways and feed them for ever.
                    log.exception("stopper_failed")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()

    async def _once(self, client: SchedulerClient) -> None:
        while stops := await self._queue.take(MOST_AT_ONCE, LEASE_MS):
            reports = await self._attempt(client, stops[0].app or self._app_id, stops)
            for stop, report in zip(stops, reports, strict=True):
                await self._report(stop, report)

    async def _attempt(
        self, client: SchedulerClient, app: str, stops: tuple[TakenStop, ...]
    ) -> list[StopReport]:
        try:
            return await asyncio.to_thread(stop_instances, client, app, self._namespace, stops)
        except Exception as error:
            # A defect must not make the same attempt for ever, unreported.
            log.exception("stopping_failed", app=app)
            return [_again(stop, [], None, f"{type(error).__name__}: {error}") for stop in stops]

    async def _report(self, stop: TakenStop, report: StopReport) -> None:
        state = await self._queue.report(stop, report, DEADLINE_MS)
        log.info(
            "source_stop",
            instance=stop.instance,
            attempt=stop.attempt,
            state=state,
            deleted=len(report.deleted),
            error=report.error,
        )
        if state not in {None, StopState.PENDING}:
            self._metrics.tripped("source_stop")


def stop_instances(
    client: SchedulerClient, app: str, namespace: str, stops: tuple[TakenStop, ...]
) -> list[StopReport]:
    """Delete every job of exactly these instances, and list again to prove it.

    One listing serves them all: it names every pending activity of the app.
    """
    if not app:
        why = "no call named its app (X-Workflow-App), and BUDGET_APP_ID is not set"
        return [StopReport(StopState.FAILED, error=why) for _ in stops]
    deleted: dict[str, list[DeletedJob]] = {stop.instance: [] for stop in stops}
    ends_s = time.monotonic() + DELETING_TIMEOUT_S
    try:
        for job in _jobs_of(client.list_activity_jobs(app, namespace), deleted):
            if time.monotonic() > ends_s:
                break
            client.delete_activity_job(job)
            deleted[job.instance_id].append(
                DeletedJob(job.task_id, job.generation, job.activity, job.execution_id)
            )
        listing = client.list_activity_jobs(app, namespace)
        left = Counter(job.instance_id for job in _jobs_of(listing, deleted))
    except SchedulerApiError as error:
        return [_again(stop, deleted[stop.instance], None, str(error)) for stop in stops]
    return [_judge(stop, deleted[stop.instance], left[stop.instance]) for stop in stops]


def _jobs_of(jobs: Iterable[ActivityJob], instances: Iterable[str]) -> Iterable[ActivityJob]:
    wanted = frozenset(instances)
    return (job for job in jobs if job.instance_id in wanted)


def _judge(stop: TakenStop, deleted: list[DeletedJob], left: int) -> StopReport:
    if left:
        return _again(stop, deleted, left, f"{left} jobs were there after the deletion")
    return StopReport(StopState.STOPPED, tuple(deleted), jobs_left=0)


def _again(stop: TakenStop, deleted: list[DeletedJob], left: int | None, error: str) -> StopReport:
    wait_ms = min(MOST_RETRY_MS, FIRST_RETRY_MS << min(stop.attempt - 1, 10))
    return StopReport(StopState.PENDING, tuple(deleted), left, error, wait_ms)
