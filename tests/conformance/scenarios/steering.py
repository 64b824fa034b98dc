"""Suspend, resume, terminate and purge."""

import time

from sidecar.protos import service_pb2 as pb
from tests.conformance.bench import Bench, until
from tests.conformance.compare.logs import logged
from tests.conformance.compare.messages import (
    activities,
    answers,
    decisions,
    steady,
    turns,
    unanswered_turns,
)
from tests.conformance.needs import OUTAGE, Need
from tests.conformance.scenarios.calls import finish, get, start, tried
from tests.conformance.scenarios.scenario import Scenario

_SHORT_S = 1.0
_SETTLED_S = 0.5
# Two activities one after the other.
_TURNS = 3


def suspend_terminate_purge(bench: Bench) -> None:
    """Steer three instances, and one that does not exist."""
    suspend(bench)
    terminate(bench)
    purge_running(bench)
    unknown(bench)


def _suspended(bench: Bench) -> None:
    """Suspend during an activity, and look once it has ended."""
    start(bench, "seq", "susp-1", {"steps": 3, "sleep": 1})
    bench.client.pause_workflow("susp-1")
    until(lambda: bench.executions("susp-1", "end"))
    time.sleep(_SETTLED_S)
    get(bench, "susp-1")


def suspend(bench: Bench) -> None:
    """Suspend during an activity, resume after it."""
    _suspended(bench)
    bench.client.resume_workflow("susp-1")
    until(lambda: len(bench.executions("susp-1")) > 1)
    get(bench, "susp-1")
    finish(bench, "susp-1")
    bench.client.pause_workflow("susp-1")


def terminate(bench: Bench) -> None:
    """Terminate during an activity, purge after it."""
    start(bench, "seq", "term-1", {"steps": 3, "sleep": 2})
    bench.client.terminate_workflow("term-1", output="bye")
    finish(bench, "term-1")
    until(lambda: bench.executions("term-1", "end"))
    time.sleep(_SETTLED_S)
    get(bench, "term-1")
    bench.client.terminate_workflow("term-1")
    bench.client.purge_workflow("term-1")
    get(bench, "term-1")
    tried(bench.client.purge_workflow, "term-1")


def purge_running(bench: Bench) -> None:
    """Purge what runs, politely and by force."""
    start(bench, "seq", "purge-run", {"steps": 2, "sleep": 2})
    until(lambda: bench.executions("purge-run"))
    tried(bench.client.purge_workflow, "purge-run")
    get(bench, "purge-run")
    request = pb.PurgeInstancesRequest(instanceId="purge-run", force=True)
    tried(bench.stub.PurgeInstances, request)
    until(lambda: _answered(bench, "purge-run") == _TURNS)
    time.sleep(_SETTLED_S)
    get(bench, "purge-run")


def unknown(bench: Bench) -> None:
    """Steer what does not exist."""
    for call in (
        bench.client.pause_workflow,
        bench.client.resume_workflow,
        bench.client.terminate_workflow,
        bench.client.purge_workflow,
    ):
        tried(call, "nope")
    if bench.profile == "1.16.1":
        # Real daprd 1.18.3 crashes on this one.
        tried(bench.stub.PurgeInstances, pb.PurgeInstancesRequest(instanceId="nope", force=True))


def double_suspend(bench: Bench) -> None:
    """Suspend twice and resume; the SDK never answers, so its process is killed."""
    _suspended(bench)
    bench.client.pause_workflow("susp-1")
    before = _requests(bench)
    tried(bench.stub.ResumeInstance, pb.ResumeRequest(instanceId="susp-1"), timeout=_SHORT_S)
    until(lambda: _requests(bench) > before)
    time.sleep(_SHORT_S)
    bench.kill_app()
    bench.kill_sidecar()
    for row in bench.keys("susp-1"):
        bench.redis.delete(bench.key("susp-1", row))
    bench.start_sidecar()
    bench.start_app()


def _answered(bench: Bench, instance: str) -> int:
    """Count the turns that the app has answered."""
    return sum(
        (each.direction, each.method) == ("app->sidecar", "CompleteOrchestratorTask")
        for each in bench.tap.of(instance)
    )


def _requests(bench: Bench) -> int:
    return sum("workflowRequest" in each.body for each in bench.tap.of("susp-1"))


SCENARIOS = (
    Scenario(
        name="suspend_terminate_purge",
        play=suspend_terminate_purge,
        facets=(
            *steady("susp-1"),
            *steady("term-1"),
            *(turns("purge-run"), decisions("purge-run"), activities("purge-run")),
            *(answers("purge-run"), answers("nope"), logged("susp-1"), logged("term-1")),
        ),
        instances=("susp-1", "term-1", "purge-run"),
    ),
    Scenario(
        name="double_suspend_sdk_hang",
        play=double_suspend,
        facets=(
            *(turns("susp-1"), decisions("susp-1"), activities("susp-1"), answers("susp-1")),
            unanswered_turns("susp-1"),
        ),
        instances=("susp-1",),
        needs=OUTAGE | {Need.REDIS},
        alone=True,
    ),
)
