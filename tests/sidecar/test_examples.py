"""Workflows as users write them, on the real SDK: what each ends with."""

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from dapr.ext.workflow.aio import DaprWorkflowClient as AsyncClient

from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import finish, get, start
from tests.sidecar.stack import EXAMPLES_APP, Stack, until
from tests.support.services import running

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
# Leaves room in the 4 MiB that the SDK's channels take for the history around it.
LONG = 1_500_000


def outcome(stack: Stack, instance: str) -> tuple[str, str | None]:
    """Wait for the end; return status and output."""
    ended = finish(stack, instance)
    return ended.runtime_status.name, ended.serialized_output


def status(stack: Stack, instance: str) -> str:
    return str(get(stack, instance).runtime_status.name)


def custom_status(stack: Stack, instance: str) -> str | None:
    found: str | None = get(stack, instance).serialized_custom_status
    return found


ENDINGS: Mapping[str, tuple[str, Any, str]] = {
    "task-chaining": ("chain", 1000, "1111"),
    "fan-out-fan-in": ("fan_in", 10, "90"),
    "child": ("parent", {"number": 21}, "42"),
    "child-in-when-any": ("child_race", None, '["fast", 4]'),
    "activity-wins": ("race", "activity", '"activity"'),
    "timer-wins": ("race", "timer", '"timer"'),
    "retry-helps": ("retried", 2, "3"),
    "approval-times-out": ("approval", 0.1, '"timed out"'),
    "continue-as-new-at-once": ("spin", 50, "0"),
    "large-payload": ("big", LONG, f'"{"x" * LONG}"'),
}


@pytest.mark.parametrize("instance", ENDINGS)
def test_it_ends_as_it_should(stack: Stack, instance: str) -> None:
    """Each pattern of the SDK's examples comes to its end and has its result."""
    workflow, asked, output = ENDINGS[instance]
    start(stack, workflow, instance, asked)
    assert outcome(stack, instance) == ("COMPLETED", output)


def test_a_failing_child_is_its_parents_to_handle(stack: Stack) -> None:
    """The parent catches the child's failure with its words; the child itself is FAILED."""
    start(stack, "parent", "bad-child", {"fail": "no luck"})
    ended, output = outcome(stack, "bad-child")
    assert ended == "COMPLETED"
    assert "no luck" in (output or "")
    assert status(stack, "bad-child:0001") == "FAILED"


def test_a_child_whose_id_is_taken(stack: Stack, profile: str) -> None:
    """It fails in its parent on 1.18.3; on 1.16 it begins once the id is free."""
    start(stack, "collect", "taken", 1)
    start(stack, "adopter", "adopter", "taken")
    if profile == "1.16.1":
        stack.client.raise_workflow_event("taken", "item", data=1)
        assert outcome(stack, "adopter") == ("COMPLETED", "6")
        return
    ended, output = outcome(stack, "adopter")
    assert ended == "COMPLETED"
    assert "an active workflow with ID 'taken' already exists" in (output or "")
    assert status(stack, "taken") == "RUNNING"


@pytest.mark.parametrize(("failures", "runs"), [(99, 3), (-1, 1)])
def test_retries_end(stack: Stack, failures: int, runs: int) -> None:
    """After the policy's attempts, or at once for a NonRetryableError, the failure is final."""
    instance = f"retried{failures}"
    start(stack, "retried", instance, failures)
    ended, output = outcome(stack, instance)
    assert ended == "COMPLETED"
    assert (output or "").rstrip('"').endswith(f" {runs}")


def test_an_approval_is_given(stack: Stack) -> None:
    """The event wins over the timer, and its data is the result."""
    start(stack, "approval", "approved", 3600)
    assert custom_status(stack, "approved") == "waiting for approval"
    stack.client.raise_workflow_event("approved", "approval", data={"by": "Ann"})
    assert outcome(stack, "approved") == ("COMPLETED", '{"by": "Ann"}')


def test_an_event_wins_a_race(stack: Stack) -> None:
    """It is taken while an activity runs and a timer waits."""
    start(stack, "race", "race-event", "event")
    stack.client.raise_workflow_event("race-event", "go", data=1)
    assert outcome(stack, "race-event") == ("COMPLETED", '"event"')


def test_a_monitor_carries_events_into_its_generations(stack: Stack) -> None:
    """An event that came in the first of three generations is there in the last."""
    start(stack, "monitor", "monitor", 1)
    stack.client.raise_workflow_event("monitor", "note", data="early")
    assert outcome(stack, "monitor") == ("COMPLETED", '[3, "early"]')
    assert custom_status(stack, "monitor") == "generation 3"


def test_events_before_they_are_awaited(stack: Stack) -> None:
    """Many that come at once are taken one by one, in order."""
    start(stack, "collect", "collect", 20)
    for i in range(1, 21):
        stack.client.raise_workflow_event("collect", "item", data=i)
    assert outcome(stack, "collect") == ("COMPLETED", str([*range(1, 21)]))


def test_a_suspended_workflow_keeps_its_events(stack: Stack) -> None:
    """What comes while it is suspended is taken after the resume, in order."""
    start(stack, "collect", "paused", 3)
    stack.client.raise_workflow_event("paused", "item", data=1)
    stack.client.pause_workflow("paused")
    assert status(stack, "paused") == "SUSPENDED"
    for i in (2, 3):
        stack.client.raise_workflow_event("paused", "item", data=i)
    assert status(stack, "paused") == "SUSPENDED"
    stack.client.resume_workflow("paused")
    assert outcome(stack, "paused") == ("COMPLETED", "[1, 2, 3]")


def test_a_start_that_is_put_off(stack: Stack) -> None:
    """It is answered at once, PENDING until its time, and then runs; 1.16 may begin 1 s early."""
    due = datetime.now(UTC) + timedelta(seconds=3)
    began = time.monotonic()
    stack.client.schedule_new_workflow("chain", input=1, instance_id="later", start_at=due)
    assert time.monotonic() - began < 1.9
    assert outcome(stack, "later")[0] == "COMPLETED"
    assert time.monotonic() - began > 1.9


def test_several_workers_share_the_work(stack: Stack) -> None:
    """Two workers on one sidecar: both get activities, and each activity goes to one of them."""
    taken = stack.directory / "taken"
    arguments = (f"127.0.0.1:{stack.app_port}", str(taken), "old")
    command = [sys.executable, "-m", EXAMPLES_APP, *arguments]
    with running("second", command, stack.directory):
        until(lambda: stack.metadata()["workflows"]["connectedWorkers"] == 2)
        start(stack, "crew", "crew", 20)
        ended, output = outcome(stack, "crew")
    until(lambda: stack.metadata()["workflows"]["connectedWorkers"] == 1)
    assert ended == "COMPLETED"
    assert len(set(json.loads(output or "[]"))) == 2
    numbers = [*taken.read_text().split(), *stack.journal.read_text().split()]
    assert sorted(map(int, numbers)) == [*range(20)]


async def test_the_async_client(stack: Stack) -> None:
    """Each call of the async client is answered like the sync one's."""
    client: Any = AsyncClient(host="127.0.0.1", port=str(stack.app_port))
    try:
        made = await client.schedule_new_workflow("collect", input=2, instance_id="aio")
        assert made == "aio"
        assert (await client.wait_for_workflow_start("aio")).runtime_status.name == "RUNNING"
        await client.raise_workflow_event("aio", "item", data="a")
        await client.pause_workflow("aio")
        assert (await client.get_workflow_state("aio")).runtime_status.name == "SUSPENDED"
        await client.resume_workflow("aio")
        assert (await client.get_workflow_state("aio")).runtime_status.name == "RUNNING"
        await client.raise_workflow_event("aio", "item", data="b")
        ended = await client.wait_for_workflow_completion("aio", timeout_in_seconds=20)
        assert ended.serialized_output == '["a", "b"]'
        await client.schedule_new_workflow("collect", input=2, instance_id="aio-2")
        await client.terminate_workflow("aio-2", output="enough")
        assert (await client.get_workflow_state("aio-2")).runtime_status.name == "TERMINATED"
        await client.purge_workflow("aio-2")
        assert await client.get_workflow_state("aio-2") is None
        with pytest.raises(grpc.aio.AioRpcError, match="no such instance exists"):
            await client.raise_workflow_event("aio-2", "item", data="c")
    finally:
        # The extension's own client has no way to close it.
        await client._DaprWorkflowClient__obj.aclose()  # noqa: SLF001
