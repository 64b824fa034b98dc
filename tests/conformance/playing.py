"""Plays one scenario on a bench and compares it with its recording."""

import time
from collections.abc import Sequence
from contextlib import suppress

import grpc
import httpx

from scheduler_api import SchedulerApiError
from tests.conformance.bench import Bench
from tests.conformance.compare import compare
from tests.conformance.declared import Declared, sort
from tests.conformance.errors import ConformanceError
from tests.conformance.exchange import seen
from tests.conformance.needs import Need
from tests.conformance.result import Result, Verdict
from tests.conformance.scenarios import Played, Scenario
from tests.conformance.scenarios.calls import clear

# A process that is not up in time is a RuntimeError of whoever waits for it.
_FAILURES = (ConformanceError, grpc.RpcError, httpx.HTTPError, OSError, RuntimeError)


def play(bench: Bench, scenario: Scenario, known: Sequence[Declared], *, external: bool) -> Result:
    """Play a scenario, compare it, and clean up behind it."""
    since = time.time()
    try:
        played = scenario.play(bench) or Played()
    except _FAILURES as error:
        why = f"{type(error).__name__}: {error}"
        return Result(scenario.name, bench.profile, Verdict.FAILED, why=why)
    ours = seen(bench, played.since or since, played.restarted_at, played.notes)
    with suppress(*_FAILURES):
        tidy(bench, scenario)
    real = scenario.real(bench.profile)
    differences = compare(scenario.facets, real, ours, bench.handles)
    unseen = {each.need for each in scenario.facets if each.need} - bench.handles
    found = sort(
        differences,
        known,
        scenario=scenario.name,
        version=bench.profile,
        compared=[each.name for each in scenario.facets if each.need not in unseen],
        external=external,
    )
    return Result(
        scenario.name,
        bench.profile,
        Verdict.DIFFERS if differences else Verdict.EQUAL,
        undeclared=found.undeclared,
        declared=found.declared,
        gone=found.gone,
        unseen=sorted(unseen),
    )


def tidy(bench: Bench, scenario: Scenario) -> None:
    """Forget what a scenario has left behind: instances, rows, jobs."""
    for instance in scenario.instances:
        clear(bench, instance)
        if Need.REDIS in bench.handles:
            for row in bench.keys(instance):
                bench.redis.delete(bench.key(instance, row))
        if Need.SCHEDULER in bench.handles:
            with suppress(SchedulerApiError):
                bench.delete_jobs(instance)


def not_playable(scenario: Scenario, version: str, handles: frozenset[Need]) -> Result | None:
    """Return why a scenario can't be played on a version with these handles; None: it can."""
    if version not in scenario.versions():
        return Result(scenario.name, version, Verdict.NOT_RECORDED)
    missing = sorted(scenario.needs - handles)
    if missing:
        why = f"needs {', '.join(missing)}"
        return Result(scenario.name, version, Verdict.NOT_RUN, why=why)
    return None
