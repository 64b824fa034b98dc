"""What becomes of activities whose workflow has lost its state: the runaway, version by version."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.sidecar import traces
from tests.sidecar.scenarios import get, start, tried
from tests.sidecar.stack import Stack, stack, until
from tests.support.components import write_component

PROFILES = ("1.16.1", "1.16.2", "1.18.3")
OBSERVED_S = 5.5
RETRY_S = 1.0
# So many executions after the restart are waited for where they go on for ever.
RUNS = {"runaway-2s": 3, "runaway-02s-burst": 6, "partial-metadata": 4}
LOST = ("runaway-2s", "runaway-02s-burst", "partial-metadata")
NOT_FOUND = "no such instance exists"
pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]


@dataclass(frozen=True)
class Aftermath:
    """A stack some seconds after its sidecar has come back to missing state."""

    stack: Stack
    ttls: list[int]
    restarted_at: float

    def runs(self, instance: str) -> list[float]:
        """Return when activities were executed, in seconds since the restart."""
        found = (each["at"] - self.restarted_at for each in self.stack.executions(instance))
        return [each for each in found if each > 0]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Aftermath]]:
    """Lose state in four ways on each profile at once: expiry, expiry, metadata, a history row."""
    directory = tmp_path_factory.mktemp("lost")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def lose(profile: str) -> Aftermath:
            made = closing.enter_context(stack(directory / profile, profile))
            return _lose(made)

        yield dict(zip(PROFILES, pool.map(lose, PROFILES), strict=True))


def _lose(stack: Stack) -> Aftermath:
    slow_then_quick = {"steps": 2, "sleep": 3, "later": 0.2}
    for each in ("partial-history", "partial-metadata"):
        start(stack, "seq", each, slow_then_quick)
    stack.set_ttl(2)
    start(stack, "seq", "runaway-2s", {"steps": 3, "sleep": 2})
    start(stack, "seq", "runaway-02s-burst", slow_then_quick)
    start(stack, "timer", "timer-lost", 5)
    ttls: list[int] = [
        stack.redis.ttl(stack.key("runaway-2s", row)) for row in stack.keys("runaway-2s")
    ]
    until(lambda: all(stack.executions(each) for each in (*LOST, "partial-history")))
    stack.kill_sidecar()
    stack.redis.delete(stack.key("partial-metadata", "metadata"))
    stack.redis.delete(stack.key("partial-history", "history-000000"))
    until(lambda: not (stack.keys("runaway-2s") or stack.keys("runaway-02s-burst")))
    until(lambda: all(stack.executions(each, "end") for each in (*LOST, "partial-history")))
    write_component(stack.directory / "components", ttl_s=-1)
    restarted_at = time.time()
    stack.start_sidecar()
    until(lambda: len(stack.executions("runaway-2s")) > 1)
    time.sleep(OBSERVED_S)
    made = Aftermath(stack, ttls, restarted_at)
    if stack.profile == "1.16.1":
        until(lambda: all(len(made.runs(each)) >= least for each, least in RUNS.items()))
    return made


def _pauses(stack: Stack, instance: str) -> list[float]:
    """Return how long after each end the next execution began, in seconds."""
    began = [each["at"] for each in stack.executions(instance)][1:]
    ended = [each["at"] for each in stack.executions(instance, "end")]
    return [later - earlier for earlier, later in zip(ended, began, strict=False)]


def test_every_key_gets_the_ttl_at_every_write(
    aftermath: Mapping[str, Aftermath], profile: str
) -> None:
    """An edit of ttlInSeconds holds from the next write on, for each of the five rows."""
    ttls = aftermath[profile].ttls
    assert len(ttls) == 5
    assert all(0 < each <= 2 for each in ttls)


def test_a_lost_workflows_activity_runs_for_ever_or_once_more(
    aftermath: Mapping[str, Aftermath], profile: str
) -> None:
    """1.16.1 executes it again as soon as it has ended; later versions once more in all."""
    runs = aftermath[profile].runs("runaway-2s")
    if profile == "1.16.1":
        assert len(runs) >= 3
        pauses = _pauses(aftermath[profile].stack, "runaway-2s")[1:]
        assert min(pauses) > 0
        assert min(pauses) < RETRY_S
    else:
        assert len(runs) == 1


def test_after_an_outage_executions_follow_back_to_back(
    aftermath: Mapping[str, Aftermath], profile: str
) -> None:
    """The retry clock counts from the due time, so an outage is worked off in a burst."""
    runs = aftermath[profile].runs("runaway-02s-burst")
    if profile == "1.16.1":
        gaps = [later - earlier for earlier, later in pairwise(runs)]
        assert sum(each < RETRY_S for each in gaps) >= 4
    else:
        assert len(runs) == 1


def test_lost_metadata_is_lost_state(aftermath: Mapping[str, Aftermath], profile: str) -> None:
    """The history without its metadata is as good as nothing."""
    runs = aftermath[profile].runs("partial-metadata")
    assert len(runs) >= 4 if profile == "1.16.1" else len(runs) == 1


@pytest.mark.parametrize("instance", LOST)
def test_the_log_says_what_dapr_says(
    aftermath: Mapping[str, Aftermath], profile: str, instance: str
) -> None:
    """Each undeliverable result is one warning and one error of 1.16.1, or two errors later."""
    stack = aftermath[profile].stack
    if profile == "1.16.1":
        cause = f"failed to invoke 'AddWorkflowEvent' method on workflow actor: {NOT_FOUND}"
        retried = f"{instance}::1::1: execution failed with a recoverable error and will be "
        assert stack.logged(f"{retried}retried later: {cause}") >= 2
        cluster = "failed to invoke scheduled actor reminder named: run-activity due to: "
        assert stack.logged(cluster + cause) >= 2
        return
    purged = "cannot add event to workflow as state has been purged. Ignoring event."
    assert stack.logged(f"Workflow actor '{instance}': {purged}") == 1
    dropped = (
        f"Activity actor '{instance}::1::1': workflow actor instance not found when reporting "
        f"activity result for workflow with instanceId '{instance}': {NOT_FOUND}"
    )
    assert stack.logged(dropped) == 1


def test_no_call_stops_a_runaway(aftermath: Mapping[str, Aftermath], profile: str) -> None:
    """The instance is unknown, and terminate and purge find nothing to end."""
    stack = aftermath[profile].stack
    assert get(stack, "runaway-2s") is None
    noun = "workflow" if profile == "1.18.3" else "orchestration"
    refusals: list[Any] = [
        tried(stack.client.terminate_workflow, "runaway-2s"),
        tried(stack.client.purge_workflow, "runaway-2s"),
    ]
    assert [each.details() for each in refusals] == [
        f"failed to submit termination request: {NOT_FOUND}",
        f"failed to purge {noun} state: failed to fetch {noun} state: {NOT_FOUND}",
    ]


def test_reminders_of_a_lost_workflow_are_dropped(
    aftermath: Mapping[str, Aftermath], profile: str
) -> None:
    """Its timer fires for nobody: no turn is taken, nothing is tried again."""
    stack = aftermath[profile].stack
    assert len(traces.turns(stack.tap.of("timer-lost"))) == 1
    line = "No workflow state found for actor 'timer-lost', terminating execution"
    assert until(lambda: stack.logged(line)) == 1


def test_a_lost_history_row_truncates_or_blocks_the_workflow(
    aftermath: Mapping[str, Aftermath], profile: str
) -> None:
    """1.16 goes on with what is left, turn by turn as recorded; 1.18 fails, and tries for ever."""
    stack = aftermath[profile].stack
    turns = traces.turns(stack.tap.of("partial-history"))
    missing = (
        "workflow 'partial-history': history key 'history-000000' declared in metadata "
        "(historyLength=3) but missing from state store (transient store read failure or partial "
        "save?)"
    )
    if profile == "1.18.3":
        assert len(aftermath[profile].runs("partial-history")) == 1
        assert get(stack, "partial-history").details() == missing
        ended = tried(stack.client.terminate_workflow, "partial-history")
        assert ended.details() == f"failed to submit termination request: {missing}"
        events = [each["event"] for each in stack.log()]
        retried = [each for each in events if "named: activity-result-" in each]
        assert len(retried) >= 3
        assert all(each.endswith(f"due to: {missing}") for each in retried)
        return
    real = traces.about(traces.recorded(profile, "partial_history"), "partial-history")
    assert turns == traces.turns(real)[: len(turns)]
    assert len(turns) == 3
    assert get(stack, "partial-history").runtime_status.name == "COMPLETED"
    assert stack.logged("Failed to load history state key 'history-000000': not found")
