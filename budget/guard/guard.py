"""The guard around an activity: counts, then calls; past the limit it deletes the job instead."""

import asyncio
import inspect
import os
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal, ParamSpec, TypeVar

import structlog

from budget.guard.counts import Counts, FileCounts, RedisCounts
from budget.guard.errors import GuardUsageError, NonRetryableError
from budget.guard.jobs import Jobs
from budget.guard.place import Place, require_execution_ids

log = structlog.get_logger(__name__)

DEFAULT_LIMIT: Final = 3
COUNTS_VARIABLE: Final = "BUDGET_GUARD_COUNTS"
PAST_LIMIT: Final = ("return", "raise")

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


class ActivityGuard:
    """Limits how often the engine may execute each activity; one serves a whole app.

    An execution is counted before the function is called, so that one that crashes counts too. An
    activity is told apart by instance, execution id and task id: a retry by the workflow's
    RetryPolicy has a task id of its own and is not counted as the same.

    Args:
        limit: How often an activity's function may be called, 1 or more. Choose it above what a
            healthy workflow may reach: each restart of a sidecar or an app executes again what was
            under way.
        counts: A file (path), the budget's Redis (`redis://…`), or what counts itself. Else what
            BUDGET_GUARD_COUNTS says, else `~/.local/state/runaway/guard.sqlite3`.
        scheduler_address: `host:port` of Dapr's scheduler; else BUDGET_SCHEDULER_ADDRESS.
        app_id: Dapr app id; else BUDGET_APP_ID, else APP_ID.
        namespace: Of the app; else BUDGET_NAMESPACE, else NAMESPACE, else `default`.
        past_limit: `return` gives the engine a marker as the activity's result, `raise` an error
            that the SDK's RetryPolicy does not retry.

    Raises:
        GuardUsageError: A limit below 1, or no such `past_limit`.
    """

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        *,
        counts: str | Path | Counts | None = None,
        scheduler_address: str | None = None,
        app_id: str | None = None,
        namespace: str | None = None,
        past_limit: Literal["return", "raise"] = "return",
    ) -> None:
        if limit < 1:
            raise GuardUsageError("a limit below 1 would let no activity run: give 1 or more")
        if past_limit not in PAST_LIMIT:
            known = " or ".join(map(repr, PAST_LIMIT))
            raise GuardUsageError(f"there is no past_limit={past_limit!r}: give {known}")
        self.limit = limit
        self._given_counts = counts
        self._scheduler_address = scheduler_address
        self._app_id = app_id
        self._namespace = namespace
        self._raises = past_limit == "raise"
        self._lock = threading.Lock()
        self._counts: Counts | None = None
        self._jobs: Jobs | None = None

    def __call__(self, activity: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
        """Return the activity with the guard around it; to be registered instead of it.

        Raises:
            GuardUsageError: It is registered already, so that the engine calls it unguarded; or
                the SDK is too old to tell activities apart.
        """
        require_execution_ids()
        if "_activity_registered" in vars(activity):
            raise GuardUsageError(
                f"{activity.__name__} is registered already: put the guard below the decorator "
                "that registers it"
            )
        if inspect.iscoroutinefunction(activity):

            @wraps(activity)
            async def guarded_coroutine(*args: Any, **kwargs: Any) -> Any:
                refusal = await asyncio.to_thread(self._refuses, *args, **kwargs)
                return await activity(*args, **kwargs) if refusal is None else refusal

            return guarded_coroutine  # type: ignore[return-value]  # what it returns is awaited alike

        @wraps(activity)
        def guarded_function(*args: Any, **kwargs: Any) -> Any:
            refusal = self._refuses(*args, **kwargs)
            return activity(*args, **kwargs) if refusal is None else refusal

        return guarded_function

    def close(self) -> None:
        """Let go of counts and connection; a later execution opens them again."""
        with self._lock:
            if self._counts is not None:
                self._counts.close()
            if self._jobs is not None:
                self._jobs.close()
            self._counts = self._jobs = None

    def _refuses(self, ctx: Any, *_: Any, **__: Any) -> dict[str, Any] | None:
        """Count an execution; return what the engine gets instead of a call past the limit.

        Raises:
            NonRetryableError: Past the limit, when that was asked for.
            CountUnavailableError: It can't be counted, so it is not made.
        """
        counts, jobs = self._opened()
        place = Place.of(ctx)
        executions = counts.count(place.key)
        if executions <= self.limit:
            return None
        log.warning("activity_guarded", instance=place.instance, executions=executions)
        jobs.delete(place)
        if self._raises:
            raise NonRetryableError(
                f"executed {executions} times, {self.limit} are allowed: the engine delivers this "
                "activity again and again, so its function was not called",
                executions,
                self.limit,
            )
        return {"guarded": True, "executions": executions, "limit": self.limit}

    def _opened(self) -> tuple[Counts, Jobs]:
        """Open both with the first execution: modules are imported before all is set up."""
        with self._lock:
            if self._counts is None or self._jobs is None:
                self._counts = _counts(self._given_counts)
                self._jobs = Jobs(
                    self._scheduler_address or os.environ.get("BUDGET_SCHEDULER_ADDRESS", ""),
                    self._app_id or _first("BUDGET_APP_ID", "APP_ID"),
                    self._namespace or _first("BUDGET_NAMESPACE", "NAMESPACE") or "default",
                )
            return self._counts, self._jobs


def guarded(limit: int = DEFAULT_LIMIT, **options: Any) -> ActivityGuard:
    """Return a decorator for one activity; the options are those of ActivityGuard."""
    return ActivityGuard(limit, **options)


def _counts(given: str | Path | Counts | None) -> Counts:
    if given is None:
        given = os.environ.get(COUNTS_VARIABLE) or _default_file()
    if isinstance(given, str) and "://" in given:
        return RedisCounts(given)
    return FileCounts(Path(given)) if isinstance(given, str | Path) else given


def _default_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "runaway" / "guard.sqlite3"


def _first(*variables: str) -> str:
    return next((found for each in variables if (found := os.environ.get(each))), "")
