"""Profiles that were read from Dapr's source alone: what they say of themselves and do."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from sidecar.protos import service_pb2 as pb
from tests.sidecar.scenarios import start, tried
from tests.sidecar.stack import Stack, stack, until

PROFILES = ("1.15", "1.17")
pytestmark = pytest.mark.timeout(150)


def executed(stack: Stack, instance: str, least: int) -> None:
    """Wait until an instance's activity has been executed so often."""
    until(lambda: len(stack.executions(instance)) >= least, what=f"{instance} x {least}")


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stack]]:
    """Give stacks whose `gone` lost its state and `cut` one history row, and all memory of it."""
    directory = tmp_path_factory.mktemp("unrecorded")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def made(profile: str) -> Stack:
            found = closing.enter_context(stack(directory / profile, profile))
            for instance in ("gone", "cut"):
                found.order(instance, hold=True)
                start(found, "seq", instance, {"steps": 1})
                executed(found, instance, 1)
            found.kill_sidecar()
            found.kill_app()
            found.redis.delete(*(found.key("gone", row) for row in found.keys("gone")))
            found.redis.delete(found.key("cut", "history-000000"))
            found.start_sidecar()
            found.start_app()
            for instance in ("gone", "cut"):
                found.order(instance)
                executed(found, instance, 2)
            return found

        yield dict(zip(PROFILES, pool.map(made, PROFILES), strict=True))


@pytest.mark.parametrize("profile", PROFILES)
def test_they_say_that_nobody_recorded_them(lost: Mapping[str, Stack], profile: str) -> None:
    """The metadata call them so."""
    label = f"embedded (profile {profile}, from source, not recorded)"
    assert lost[profile].metadata()["runtimeVersion"] == label


def test_1_15_runs_away_whatever_is_lost(lost: Mapping[str, Stack]) -> None:
    """A workflow with one missing row is as lost as one without any: executed on and on."""
    for instance in ("gone", "cut"):
        executed(lost["1.15"], instance, 4)


def test_1_17_executes_once_more(lost: Mapping[str, Stack]) -> None:
    """The second execution was the last one of the lost workflow; its result was dropped."""
    stack = lost["1.17"]
    told = "Activity actor 'gone::1::1': workflow actor instance not found when reporting activity"
    until(lambda: any(each["event"].startswith(told) for each in stack.log()))
    until(lambda: stack.executions("gone", "end"))
    assert len(stack.executions("gone")) == 2


@pytest.mark.parametrize("profile", PROFILES)
def test_late_results(lost: Mapping[str, Stack], profile: str) -> None:
    """1.15 refuses what nobody waits for, 1.17 ignores it; neither keeps its caller."""
    result = pb.ActivityResponse(instanceId="nobody", taskId=7)
    answer = tried(lost[profile].stub.CompleteActivityTask, result, timeout=10)
    if profile == "1.17":
        assert answer == pb.CompleteTaskResponse()
    else:
        text = "unknown instance ID/task ID combo: nobody/7"
        assert (answer.code(), answer.details()) == (grpc.StatusCode.UNKNOWN, text)


@pytest.mark.parametrize("profile", PROFILES)
def test_methods_that_came_with_1_16_and_1_17(lost: Mapping[str, Stack], profile: str) -> None:
    """1.15 has neither lists nor reruns; 1.17 has both."""
    calls = (
        (lost[profile].stub.ListInstanceIDs, pb.ListInstanceIDsRequest()),
        (lost[profile].stub.RerunWorkflowFromEvent, pb.RerunWorkflowFromEventRequest()),
    )
    lacking = [
        "failed to proxy request" in str(answer.details())
        for answer in (tried(method, request) for method, request in calls)
        if isinstance(answer, grpc.RpcError)
    ]
    assert lacking == ([True, True] if profile == "1.15" else [False])
