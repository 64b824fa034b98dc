"""Suspend, resume, events, terminate and purge, beyond what the recorded exchanges show."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sidecar.protos import service_pb2 as pb
from tests.sidecar import traces
from tests.sidecar.scenarios import finish, get, start, tried
from tests.sidecar.stack import Stack, stack, until

PROFILES = ("1.16.1", "1.16.2", "1.18.3")
pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
FAMILY = ("tree", "tree-p", "tree-p-kid")


@pytest.fixture(scope="module")
def steered(
    played: Mapping[str, Stack], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Stack]]:
    """Give a stack of each profile; activities that are held end with the module."""
    with stack(tmp_path_factory.mktemp("steered") / "1.16.2", "1.16.2") as made:
        found = {**played, "1.16.2": made}
        yield found
        for each in found.values():
            _hold(each).unlink(missing_ok=True)


def _hold(stack: Stack) -> Path:
    return stack.directory / "hold"


def endless(stack: Stack) -> dict[str, str]:
    """Return the input of activities that run until the module ends."""
    _hold(stack).touch()
    return {"hold": str(_hold(stack))}


def status(stack: Stack, instance: str) -> str:
    state = get(stack, instance)
    return "NOT_FOUND" if state is None else str(state.runtime_status.name)


def becomes(stack: Stack, instance: str, wanted: str) -> None:
    until(lambda: status(stack, instance) == wanted, what=f"{instance} {wanted}")


def news(stack: Stack, instance: str) -> list[str]:
    """Return the kinds of the news of all turns, in order."""
    return [
        next(iter(each.keys() - {"eventId", "timestamp", "router"}))
        for turn in traces.turns(stack.tap.of(instance))
        for each in turn["newEvents"]
    ]


def taken(stack: Stack, instance: str, kind: str) -> Callable[[], bool]:
    return lambda: kind in news(stack, instance)


def purge(stack: Stack, instance: str, *, recursive: bool = True) -> Any:
    """Return how many instances were purged, or the text of the refusal."""
    request = pb.PurgeInstancesRequest(instanceId=instance, recursive=recursive)
    answer = tried(stack.stub.PurgeInstances, request)
    is_done = isinstance(answer, pb.PurgeInstancesResponse)
    return answer.deletedInstanceCount if is_done else answer.details()


def test_an_event_is_kept_until_it_is_waited_for(
    steered: Mapping[str, Stack], profile: str
) -> None:
    """Two that come while an activity runs are both taken, in order, whatever their case."""
    stack = steered[profile]
    start(stack, "late_ext", "early", {"sleep": 0.5})
    stack.client.raise_workflow_event("early", "go", data=1)
    stack.client.raise_workflow_event("early", "GO", data={"n": 2})
    until(taken(stack, "early", "eventRaised"))
    assert status(stack, "early") == "RUNNING"
    assert finish(stack, "early").serialized_output == '[1, {"n": 2}]'


def test_an_event_for_a_suspended_workflow_counts_after_its_resume(
    steered: Mapping[str, Stack], profile: str
) -> None:
    """It is stored in a turn of its own, which leads to nothing until then."""
    stack = steered[profile]
    start(stack, "ext", "quiet")
    stack.client.pause_workflow("quiet")
    becomes(stack, "quiet", "SUSPENDED")
    stack.client.raise_workflow_event("quiet", "go", data=7)
    until(taken(stack, "quiet", "eventRaised"))
    assert status(stack, "quiet") == "SUSPENDED"
    stack.client.resume_workflow("quiet")
    assert finish(stack, "quiet").serialized_output == "7"


def test_a_timer_of_a_suspended_workflow_fires_on_time_and_counts_after_its_resume(
    steered: Mapping[str, Stack], profile: str
) -> None:
    """Suspending stops the workflow, not its clock."""
    stack = steered[profile]
    start(stack, "timer", "clock", 2)
    stack.client.pause_workflow("clock")
    becomes(stack, "clock", "SUSPENDED")
    until(taken(stack, "clock", "timerFired"))
    assert status(stack, "clock") == "SUSPENDED"
    stack.client.resume_workflow("clock")
    assert finish(stack, "clock").serialized_output == '"fired"'
    assert news(stack, "clock").count("timerFired") == 1


def test_a_suspended_workflow_can_be_terminated(steered: Mapping[str, Stack], profile: str) -> None:
    """Its end does not wait for a resume."""
    stack = steered[profile]
    start(stack, "ext", "halted")
    stack.client.pause_workflow("halted")
    becomes(stack, "halted", "SUSPENDED")
    stack.client.terminate_workflow("halted", output="bye")
    ended = finish(stack, "halted")
    assert (ended.runtime_status.name, ended.serialized_output) == ("TERMINATED", '"bye"')


def test_the_sdk_fails_a_workflow_that_is_resumed_without_a_suspend(
    steered: Mapping[str, Stack], profile: str
) -> None:
    """The engine passes the event on; an app must not send it."""
    stack = steered[profile]
    start(stack, "ext", "resumed")
    stack.client.resume_workflow("resumed")
    ended = finish(stack, "resumed")
    assert ended.runtime_status.name == "FAILED"
    assert "Don't know how to handle event of type 'executionResumed'" in str(
        ended.failure_details.message
    )


def test_terminate_and_purge_take_all_descendants_along(
    steered: Mapping[str, Stack], profile: str
) -> None:
    """Children of children too; afterwards the store holds no key of any of them."""
    stack = steered[profile]
    start(stack, "family", "tree", endless(stack))
    until(lambda: stack.executions("tree-p-kid"))
    stack.client.terminate_workflow("tree", output="felled")
    for each in FAMILY:
        becomes(stack, each, "TERMINATED")
        assert get(stack, each).serialized_output == '"felled"'
    assert purge(stack, "tree") == 3
    assert [stack.keys(each) for each in FAMILY] == [[], [], []]


def test_terminate_can_leave_the_children_alone(steered: Mapping[str, Stack], profile: str) -> None:
    """Without recursion the child runs to its end, and its parent stays TERMINATED."""
    stack = steered[profile]
    start(stack, "parent", "alone", {"sleep": 1})
    until(lambda: stack.executions("alone-kid"))
    stack.client.terminate_workflow("alone", recursive=False)
    becomes(stack, "alone", "TERMINATED")
    assert status(stack, "alone-kid") == "RUNNING"
    assert finish(stack, "alone-kid").runtime_status.name == "COMPLETED"
    assert status(stack, "alone") == "TERMINATED"
    assert purge(stack, "alone", recursive=False) == 1
    assert status(stack, "alone-kid") == "COMPLETED"


def test_a_recursive_purge_stops_at_a_child_that_runs_or_is_gone(
    steered: Mapping[str, Stack], profile: str
) -> None:
    """The parent is left as it was; only 1.18.3 passes over a child without state."""
    stack = steered[profile]
    noun, child = (
        ("workflow", "child workflow")
        if profile == "1.18.3"
        else (
            "orchestration",
            "sub-orchestration",
        )
    )
    start(stack, "parent", "torn", endless(stack))
    until(lambda: stack.executions("torn-kid"))
    stack.client.terminate_workflow("torn", recursive=False)
    becomes(stack, "torn", "TERMINATED")
    refused = f"failed to purge {noun} state: failed to purge {child}: "
    assert purge(stack, "torn") == f"{refused}orchestration has not yet completed"
    stack.client.terminate_workflow("torn-kid")
    becomes(stack, "torn-kid", "TERMINATED")
    assert purge(stack, "torn-kid", recursive=False) == 1
    missing = f"failed to fetch {noun} state: no such instance exists"
    if profile == "1.18.3":
        assert purge(stack, "torn") == 1
    else:
        assert purge(stack, "torn") == refused + missing
        assert purge(stack, "torn", recursive=False) == 1
    assert purge(stack, "torn") == f"failed to purge {noun} state: {missing}"
    alone = f"failed to purge {noun} state: no such instance exists"
    assert purge(stack, "torn", recursive=False) == alone
