"""Restarts in the middle of work, and new lives of an id. Single restarts: tests/conformance."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sidecar.protos import BackendWorkflowStateMetadata
from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import Stack, stack, until

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
MANY = [f"many-{n}" for n in range(8)]
STEPS = 15


@dataclass(frozen=True)
class Restarted:
    """A stack whose sidecar was away for a moment, and what its workflows ended with."""

    stack: Stack
    outcomes: Mapping[str, str]


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Restarted]]:
    """Kill the sidecar under many workflows."""
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
    for each in MANY:
        _until_it_runs(stack, each)
    stack.kill_sidecar()
    stack.start_sidecar()
    return Restarted(stack, {each: finish(stack, each, 60).serialized_output for each in MANY})


def test_no_acknowledged_work_is_lost_wherever_the_kill_falls(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """Workflows killed in any phase of their turns complete, with each result in its place."""
    expected = "[" + ", ".join(f'{{"i": {n}}}' for n in range(STEPS)) + "]"
    assert set(restarted[profile].outcomes.values()) == {expected}


def test_an_activity_that_ended_is_not_executed_again(
    restarted: Mapping[str, Restarted], profile: str
) -> None:
    """Each of the killed workflows repeats at most what was in flight at the kill."""
    stack = restarted[profile].stack
    assert all(len(stack.executions(each)) <= STEPS + 2 for each in MANY)


def _generation(stack: Stack, instance: str) -> int:
    data: Any = stack.redis.hget(stack.key(instance, "metadata"), "data")
    return BackendWorkflowStateMetadata.FromString(data).generation


def test_a_new_start_is_not_answered_by_its_predecessors_activity(
    played: Mapping[str, Stack], profile: str, tmp_path: Path
) -> None:
    """What still runs is of an earlier generation: it is not waited for, and its result dropped."""
    stack, hold = played[profile], tmp_path / "hold"
    hold.touch()
    start(stack, "child", "reused", {"i": 111, "hold": str(hold)})
    _until_it_runs(stack, "reused")
    stack.client.terminate_workflow("reused")
    assert finish(stack, "reused").runtime_status.name == "TERMINATED"
    start(stack, "child", "reused", {"i": 222})
    assert finish(stack, "reused").serialized_output == '{"child": {"i": 222}}'
    assert len(stack.executions("reused", "end")) == 1
    assert _generation(stack, "reused") == 2
    hold.unlink()


def test_a_child_that_is_started_anew_is_of_the_next_generation(
    played: Mapping[str, Stack], profile: str
) -> None:
    """A parent that runs again under its id starts its child of a fixed id again."""
    stack = played[profile]
    for generation in (1, 2):
        start(stack, "parent", "reused-parent", {"sleep": 0})
        assert finish(stack, "reused-parent").runtime_status.name == "COMPLETED"
        assert _generation(stack, "reused-parent-kid") == generation
