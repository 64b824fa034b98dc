"""What works: activities, retries, fan-out, children, generations, timers, events."""

import time

from tests.conformance.bench import Bench
from tests.conformance.compare.logs import logged
from tests.conformance.compare.messages import (
    activities,
    answers,
    outcome,
    results_once,
    steady,
    tokens,
)
from tests.conformance.compare.timers import timer
from tests.conformance.scenarios.calls import finish, get, start, tried
from tests.conformance.scenarios.scenario import Scenario

# Between these fractions of a second a time cut to the second can be told from one on time.
_FRACTIONS = (0.5, 0.8)


def happy(bench: Bench) -> None:
    """Run three activities one after the other."""
    start(bench, "seq", "happy-1", {"steps": 3, "sleep": 0.05})
    finish(bench, "happy-1")
    get(bench, "happy-1")


def retry(bench: Bench) -> None:
    """Fail twice and then work, fail for ever, fail without a policy."""
    start(bench, "retry", "retry-ok", {"fail": 2})
    start(bench, "retry", "retry-fail", {"fail": 99})
    start(bench, "seq", "noretry-fail", {"steps": 1, "fail": 99})
    for each in ("retry-ok", "retry-fail", "noretry-fail"):
        finish(bench, each)


def fanout(bench: Bench) -> None:
    """Run five activities at once."""
    start(bench, "fan", "fan-1")
    finish(bench, "fan-1")


def child(bench: Bench) -> None:
    """Run two children."""
    start(bench, "parent", "parent-1", {"sleep": 0})
    finish(bench, "parent-1")
    get(bench, "parent-1-kid")


def continue_as_new(bench: Bench) -> None:
    """Go through three generations."""
    start(bench, "can", "can-1", 0)
    finish(bench, "can-1")


def timers(bench: Bench) -> None:
    """Sleep two seconds, from a moment that is no whole second."""
    while not _FRACTIONS[0] < time.time() % 1 < _FRACTIONS[1]:
        time.sleep(0.02)
    start(bench, "timer", "timer-1", 2)
    get(bench, "timer-1")
    finish(bench, "timer-1")


def event(bench: Bench) -> None:
    """Wait for an event that comes, and for one that does not; raise it for nobody."""
    start(bench, "ext", "ext-1")
    get(bench, "ext-1")
    bench.client.raise_workflow_event("ext-1", "go", data={"x": 1})
    finish(bench, "ext-1")
    bench.client.raise_workflow_event("ext-1", "go", data=1)
    tried(bench.client.raise_workflow_event, "ext-unknown", "go", data=1)
    start(bench, "ext_timeout", "ext-to")
    finish(bench, "ext-to")


SCENARIOS = (
    Scenario(
        name="happy",
        play=happy,
        facets=(*steady("happy-1"), tokens("happy-1")),
        instances=("happy-1",),
    ),
    Scenario(
        name="retry",
        play=retry,
        facets=(*steady("retry-ok"), *steady("retry-fail"), *steady("noretry-fail")),
        instances=("retry-ok", "retry-fail", "noretry-fail"),
    ),
    Scenario(
        name="fanout",
        play=fanout,
        # How the five results fall into turns is chance.
        facets=(activities("fan-1"), results_once("fan-1"), answers("fan-1"), outcome("fan-1")),
        instances=("fan-1",),
    ),
    Scenario(
        name="child",
        play=child,
        facets=(*steady("parent-1"), *steady("parent-1-kid"), *steady("parent-1:0002")),
        instances=("parent-1",),
    ),
    Scenario(
        name="continue_as_new", play=continue_as_new, facets=steady("can-1"), instances=("can-1",)
    ),
    Scenario(
        name="timer",
        play=timers,
        facets=(*steady("timer-1"), timer("timer-1")),
        instances=("timer-1",),
    ),
    Scenario(
        name="event",
        play=event,
        facets=(*steady("ext-1"), *steady("ext-to"), answers("ext-unknown"), logged("ext-1")),
        instances=("ext-1", "ext-to"),
    ),
)
