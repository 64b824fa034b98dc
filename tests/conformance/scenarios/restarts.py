"""The app or the sidecar goes away in the middle of an activity, and nothing is lost."""

import time
from threading import Timer

from tests.conformance.bench import Bench, until
from tests.conformance.compare.executions import late_result, tasks
from tests.conformance.compare.facet import Facet
from tests.conformance.compare.logs import logged
from tests.conformance.compare.messages import (
    activities,
    answers,
    decisions,
    execution_ids,
    outcome,
    turns,
)
from tests.conformance.compare.notes import note
from tests.conformance.needs import OUTAGE, Need
from tests.conformance.scenarios.calls import finish, start
from tests.conformance.scenarios.scenario import Played, Scenario

_INTO_S = 0.7
_PATIENCE_S = 15.0
_HANGS_S = 8.0
_PAUSE_S = 0.5
_FINISHED_WITHIN_S = 60


def restart_app_in_activity(bench: Bench) -> None:
    """Kill the app during an activity, and start another two seconds later."""
    start(bench, "seq", "rapp", {"steps": 2, "sleep": 3})
    until(lambda: bench.executions("rapp"))
    time.sleep(_INTO_S)
    bench.kill_app()
    time.sleep(2.0)
    bench.start_app()
    finish(bench, "rapp", _FINISHED_WITHIN_S)


def restart_sidecar_sigkill(bench: Bench) -> Played:
    """Kill the sidecar during an activity whose result comes before the app's stream is back."""
    start(bench, "seq", "rkill", {"steps": 2, "sleep": 4})
    until(lambda: bench.executions("rkill"))
    time.sleep(_INTO_S)
    bench.order("rkill", hold=True)
    bench.tap.hold()
    bench.kill_sidecar()
    restarted_at = _back_before_the_app(bench, "rkill")
    return Played(restarted_at)


def restart_sidecar_sigterm(bench: Bench) -> Played:
    """End the sidecar politely during an activity."""
    start(bench, "seq", "rterm", {"steps": 2, "sleep": 4})
    until(lambda: bench.executions("rterm"))
    time.sleep(_INTO_S)
    bench.tap.hold()
    bench.order("rterm", hold=True)
    # A sidecar that hangs is away when the activity ends.
    ending = Timer(_HANGS_S, bench.order, ("rterm",))
    ending.start()
    is_gone = bench.stop_sidecar(_PATIENCE_S)
    ending.cancel()
    restarted_at = _back_before_the_app(bench, "rterm")
    return Played(restarted_at, {"exit": 0 if is_gone else -9})


def _back_before_the_app(bench: Bench, instance: str) -> float:
    """Start the sidecar, end the activity, let the app back in; return when it was started."""
    restarted_at = time.time()
    bench.start_sidecar()
    bench.reachable()
    bench.order(instance)
    until(lambda: bench.executions(instance, "end"))
    time.sleep(_PAUSE_S)
    bench.tap.release()
    finish(bench, instance, _FINISHED_WITHIN_S)
    until(lambda: len(bench.executions(instance, "end")) == len(bench.executions(instance)))
    return restarted_at


def _survived(instance: str) -> tuple[Facet, ...]:
    return (
        *(turns(instance), decisions(instance), activities(instance), execution_ids(instance)),
        *(answers(instance), outcome(instance), tasks(instance), logged(instance)),
    )


SCENARIOS = (
    Scenario(
        name="restart_app_in_activity",
        play=restart_app_in_activity,
        facets=_survived("rapp"),
        instances=("rapp",),
        alone=True,
    ),
    Scenario(
        name="restart_sidecar_sigkill",
        play=restart_sidecar_sigkill,
        facets=(*_survived("rkill"), late_result("rkill")),
        instances=("rkill",),
        needs=OUTAGE,
        alone=True,
    ),
    Scenario(
        name="restart_sidecar_sigterm",
        play=restart_sidecar_sigterm,
        facets=(*_survived("rterm"), note("exit")),
        instances=("rterm",),
        needs=frozenset({Need.STOP, Need.START}),
        alone=True,
    ),
)
