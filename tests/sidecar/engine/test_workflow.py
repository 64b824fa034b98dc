"""Restarts in the middle of work: what was acknowledged survives, and late results find a home."""

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sidecar.protos import BackendWorkflowStateMetadata
from tests.sidecar import traces
from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import Stack, stack, until
from tests.sidecar.wiretap import Message

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
ACTIVITY_S = 6
MANY = [f"many-{n}" for n in range(8)]
STEPS = 15


@dataclass(frozen=True)
class Restarted:
    """A stack whose sidecar was away for a moment, and then its app."""

    stack: Stack
    outcomes: Mapping[str, str]
    until_at: float


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Restarted]]:
    """Kill the sidecar for less time than an activity takes; later kill the app."""
    directory = tmp_path_factory.mktemp("restarted")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def restart(profile: str) -> Restarted:
            made = closing.enter_context(stack(directory / profile, profile))
            return _restart(made)

        yield dict(zip(PROFILES, pool.map(restart, PROFILES), strict=True))


def _until_it_runs(stack: Stack, instance: str) -> None:
    until(lambda: stack.executions(instance))


def _restart(stack: Stack) -> Restarted:
    for each in MANY:
        # Quick steps, so that the kill meets some of them in every phase of a turn.
        start(stack, "seq", each, {"steps": STEPS, "sleep": 0.05})
    for each in ("rkill", "chain"):
        start(stack, "seq", each, {"steps": 2, "sleep": ACTIVITY_S})
        _until_it_runs(stack, each)
    stack.kill_sidecar()
    for row in stack.keys("chain"):
        stack.redis.delete(stack.key("chain", row))
    stack.start_sidecar()
    outcomes = {each: finish(stack, each, 30).serialized_output for each in ("rkill", *MANY)}
    until_at = stack.executions("chain")[0]["at"] + 3 * ACTIVITY_S
    time.sleep(max(0.0, until_at - time.time()))
    start(stack, "seq", "rapp", {"steps": 2, "sleep": 1})
    _until_it_runs(stack, "rapp")
    stack.kill_app()
    stack.start_app()
    outcomes["rapp"] = finish(stack, "rapp", 30).serialized_output
    return Restarted(stack, outcomes, until_at)


def _side_by_side(restarted: Restarted, instance: str) -> float:
    """Return how many executions ran at once, on average over the last `ACTIVITY_S` seconds."""
    until_at = restarted.until_at
    since = until_at - ACTIVITY_S
    began: list[float] = [each["at"] for each in restarted.stack.executions(instance)]
    ran_s = [min(each + ACTIVITY_S, until_at) - max(each, since) for each in began]
    return sum(each for each in ran_s if each > 0) / ACTIVITY_S


def test_a_workflow_survives_the_loss_of_its_sidecar(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """The activity in flight is executed again, as recorded: three executions for two."""
    assert restarted[profile].outcomes["rkill"] == '[{"i": 0}, {"i": 1}]'
    assert len(restarted[profile].stack.executions("rkill")) == 3


def test_no_acknowledged_work_is_lost_wherever_the_kill_falls(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """Workflows killed in any phase of their turns complete, with each result in its place."""
    expected = "[" + ", ".join(f'{{"i": {n}}}' for n in range(STEPS)) + "]"
    outcomes = restarted[profile].outcomes
    assert {outcomes[each] for each in MANY} == {expected}


def test_an_activity_that_ended_is_not_executed_again(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """Each of the killed workflows repeats at most what was in flight at the kill."""
    stack = restarted[profile].stack
    assert all(len(stack.executions(each)) <= STEPS + 2 for each in MANY)


def test_a_late_result_is_taken_for_the_next_execution(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """The first execution's result ends the second's wait: the workflow moves on with it."""
    stack = restarted[profile].stack
    next_began = stack.executions("rkill")[2]
    first_ended, second_ended = stack.executions("rkill", "end")[:2]
    assert [each["task"] for each in (first_ended, second_ended, next_began)] == [1, 1, 2]
    assert first_ended["at"] < next_began["at"] < second_ended["at"]


def test_a_short_outage_doubles_the_runaway(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """On 1.16.1 two executions run side by side, for ever; on 1.18.3 there is no chain at all."""
    done = restarted[profile]
    if profile == "1.16.1":
        assert 1.5 < _side_by_side(done, "chain") < 2.5
    else:
        assert len(done.stack.executions("chain")) == 2


def test_a_workflow_survives_the_loss_of_its_app(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """The stream's end fails the execution, and the next app runs the activity again."""
    done = restarted[profile]
    assert done.outcomes["rapp"] == '[{"i": 0}, {"i": 1}]'
    assert [each["task"] for each in done.stack.executions("rapp")] == [1, 1, 2]
    assert done.stack.logged("rapp: aborting activity execution (::1)") == 1
    aborted = "rapp::1::1: execution failed with a recoverable error and will be retried later: "
    assert done.stack.logged(f"{aborted}execution aborted") == 1


def _generation(stack: Stack, instance: str) -> int:
    data: Any = stack.redis.hget(stack.key(instance, "metadata"), "data")
    return BackendWorkflowStateMetadata.FromString(data).generation


def test_a_new_start_is_not_answered_by_its_predecessors_activity(
    played: Mapping[str, Stack], profile: str
) -> None:
    """What still runs is of an earlier generation: it is not waited for, and its result dropped."""
    stack = played[profile]
    start(stack, "child", "reused", {"i": 111, "sleep": 8})
    _until_it_runs(stack, "reused")
    stack.client.terminate_workflow("reused")
    assert finish(stack, "reused").runtime_status.name == "TERMINATED"
    start(stack, "child", "reused", {"i": 222})
    assert finish(stack, "reused").serialized_output == '{"child": {"i": 222}}'
    assert len(stack.executions("reused", "end")) == 1
    assert _generation(stack, "reused") == 2


def test_a_child_that_is_started_anew_is_of_the_next_generation(
    played: Mapping[str, Stack], profile: str
) -> None:
    """A parent that runs again under its id starts its child of a fixed id again."""
    stack = played[profile]
    for generation in (1, 2):
        start(stack, "parent", "reused-parent", {"sleep": 0})
        assert finish(stack, "reused-parent").runtime_status.name == "COMPLETED"
        assert _generation(stack, "reused-parent-kid") == generation


def test_who_waits_hears_of_an_end_whose_save_was_not_answered(
    tmp_path: Path, profile: str
) -> None:
    """The end is stored and the reply lost: the job's next attempt tells those who wait."""
    output = '[{"i": 0}]'
    with stack(tmp_path / "lossy", profile, losing=output.encode()) as made:
        start(made, "seq", "unanswered", {"steps": 1})
        assert finish(made, "unanswered").serialized_output == output
        assert made.lossy is not None
        assert made.lossy.lost


def test_the_turns_of_a_restarted_workflow_are_the_recorded_ones(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """Whether a result was late does not show in the history."""
    real = traces.about(traces.recorded(profile, "restart_sidecar_sigkill"), "rkill")
    ours = restarted[profile].stack.tap.of("rkill")
    assert _kinds(ours) == _kinds(real)
    assert len(_kinds(real)) == 3


def _kinds(messages: Iterable[Message]) -> list[list[list[str]]]:
    return [
        [
            [
                next(iter(each.keys() - {"eventId", "timestamp", "router"}))
                for each in turn.get(part, ())
            ]
            for part in ("pastEvents", "newEvents")
        ]
        for turn in traces.turns(messages)
    ]
