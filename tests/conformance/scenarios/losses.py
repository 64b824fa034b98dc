"""State that is lost while an activity is in flight: by expiry, flush, a missing row."""

import time
from collections.abc import Callable

from tests.conformance.bench import Bench, until
from tests.conformance.compare.executions import again, burst, caught_up, period, unstopped
from tests.conformance.compare.facet import Facet
from tests.conformance.compare.logs import logged
from tests.conformance.compare.messages import answers, execution_ids, requested, turns
from tests.conformance.needs import OUTAGE, Need
from tests.conformance.scenarios.calls import get, start, tried
from tests.conformance.scenarios.scenario import Played, Scenario

_SLOW_THEN_QUICK = {"sleep": 2, "later": 0.2}
# An SDK that has lost its sidecar needs seconds to come back; recorded were 3.9 s after the start.
_LAG_S = 5.4
_INTO_S = 0.5
_QUIET_S = 3.0
_FIRST_WITHIN_S = 40.0
_TTL_S = 2
_STEADY = 4
_PERIOD_S = 0.95


def outage(bench: Bench, instance: str, damage: Callable[[], object]) -> float:
    """Kill the sidecar during an activity, damage its state, and start it again.

    The app notices when the activity has ended and the job is `_LAG_S` old. An SDK that notices at
    once closes its channel ten seconds later, and loses the result that is to come late.

    Returns:
        When the sidecar was started, in seconds of the wall clock.
    """
    until(lambda: bench.executions(instance))
    began = time.time()
    time.sleep(_INTO_S)
    bench.order(instance, hold=True)
    bench.tap.hold()
    bench.kill_sidecar()
    damage()
    restarted_at = time.time()
    bench.start_sidecar()
    bench.reachable()
    bench.order(instance)
    until(lambda: bench.executions(instance, "end"))
    time.sleep(max(0.0, began + _LAG_S - time.time()))
    bench.tap.release()
    bench.connected()
    return restarted_at


def observe(bench: Bench, instance: str, least: int, *, through: bool = True) -> None:
    """Wait for so many executions after the first, or until none has begun for some seconds.

    With `through` it goes on until the burst after the outage is over.
    """
    until(lambda: len(bench.executions(instance)) > 1, _FIRST_WITHIN_S, f"{instance} again")
    while len(bench.executions(instance)) <= least or (through and is_in_burst(bench, instance)):
        began, ended = bench.executions(instance), bench.executions(instance, "end")
        if len(began) == len(ended) and time.time() - ended[-1]["at"] > _QUIET_S:
            return
        time.sleep(0.05)


def is_in_burst(bench: Bench, instance: str) -> bool:
    """Tell whether executions still make up for the outage: the last ones began too soon."""
    last: list[float] = [each["at"] for each in bench.executions(instance)][-_STEADY:]
    return last[-1] - last[0] < (_STEADY - 1) * _PERIOD_S


def runaway_2s(bench: Bench) -> Played:
    """Let all keys expire while the sidecar is away; the activity takes two seconds."""
    return _expire(bench, "runaway-2s", {"steps": 3, "sleep": 2}, least=4)


def runaway_02s_burst(bench: Bench) -> Played:
    """The same, with an activity that is quick when it is executed again."""
    return _expire(bench, "runaway-02s-burst", {"steps": 3, **_SLOW_THEN_QUICK}, least=5)


def _expire(bench: Bench, instance: str, asked: object, least: int) -> Played:
    bench.set_ttl(_TTL_S)
    bench.connected()
    try:
        start(bench, "seq", instance, asked)
        until(lambda: bench.executions(instance))
        time.sleep(_INTO_S)
        bench.kill_sidecar()
        until(lambda: bench.executions(instance, "end") and not bench.keys(instance))
        # The longer the outage, the longer the burst; recorded were 15 s and a slow reconnect.
        time.sleep(2.0)
        restarted_at = time.time()
        bench.start_sidecar()
        bench.connected()
        get(bench, instance)
        observe(bench, instance, least, through=False)
        get(bench, instance)
    finally:
        bench.set_ttl(-1)
    return Played(restarted_at)


def flushall(bench: Bench) -> Played:
    """Flush Redis while the sidecar is away for a second."""
    start(bench, "seq", "flushall", {"steps": 2, **_SLOW_THEN_QUICK})
    restarted_at = outage(bench, "flushall", bench.redis.flushall)
    get(bench, "flushall")
    observe(bench, "flushall", least=11)
    get(bench, "flushall")
    return Played(restarted_at)


def partial_history(bench: Bench) -> Played:
    """Delete one row of the history."""
    return _partial(bench, "partial-history", "history-000000", least=9)


def partial_metadata(bench: Bench) -> Played:
    """Delete the metadata alone."""
    return _partial(bench, "partial-metadata", "metadata", least=11)


def _partial(bench: Bench, instance: str, row: str, least: int) -> Played:
    start(bench, "seq", instance, {"steps": 2, "sleep": 3, "later": 0.2})
    restarted_at = outage(bench, instance, lambda: bench.redis.delete(bench.key(instance, row)))
    get(bench, instance)
    observe(bench, instance, least)
    get(bench, instance)
    tried(bench.client.terminate_workflow, instance)
    tried(bench.client.purge_workflow, instance)
    time.sleep(_QUIET_S)
    return Played(restarted_at)


def _lost(instance: str) -> tuple[Facet, ...]:
    return (
        *(turns(instance), answers(instance), requested(instance), execution_ids(instance)),
        *(again(instance), logged(instance)),
    )


_NEEDS = OUTAGE | {Need.REDIS, Need.SCHEDULER}
SCENARIOS = (
    Scenario(
        name="runaway_2s",
        play=runaway_2s,
        facets=(*_lost("runaway-2s"), period("runaway-2s", 0.25)),
        instances=("runaway-2s",),
        needs=_NEEDS | {Need.TTL},
        alone=True,
    ),
    Scenario(
        name="runaway_02s_burst",
        play=runaway_02s_burst,
        facets=(*_lost("runaway-02s-burst"), burst("runaway-02s-burst", 0.15)),
        instances=("runaway-02s-burst",),
        needs=_NEEDS | {Need.TTL},
        alone=True,
    ),
    Scenario(
        name="flushall",
        play=flushall,
        facets=(
            *(*_lost("flushall"), burst("flushall", 0.15)),
            *(period("flushall", 0.1), caught_up("flushall")),
        ),
        instances=("flushall",),
        needs=_NEEDS,
        alone=True,
    ),
    Scenario(
        name="partial_history",
        play=partial_history,
        facets=(*_lost("partial-history"), unstopped("partial-history")),
        instances=("partial-history",),
        needs=_NEEDS,
        alone=True,
    ),
    Scenario(
        name="partial_metadata",
        play=partial_metadata,
        facets=(
            *_lost("partial-metadata"),
            *(burst("partial-metadata", 0.15), period("partial-metadata", 0.1)),
            *(caught_up("partial-metadata"), unstopped("partial-metadata")),
        ),
        instances=("partial-metadata",),
        needs=_NEEDS,
        alone=True,
    ),
)
