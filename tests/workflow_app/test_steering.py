"""Suspend, resume and events on the embedded engine."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from dapr.ext.workflow import DaprWorkflowClient

from tests.workflow_app.stack import Stack, until

pytestmark = pytest.mark.timeout(60, func_only=True)
YES = {"approved": True}
HISTORY_OF_ONE_STEP = 6  # two turns, the start, the step asked for and done, the wait for an event


def start(house: Stack, instance_id: str, **given: Any) -> None:
    body = {"name": "agent", "id": instance_id, "input": {"pause_s": 0, **given}}
    assert house.app.post("/workflows", json=body).status_code == 202


def steer(house: Stack, instance_id: str, verb: str, payload: Any = None) -> tuple[int, str]:
    """Return the status and the code of the error, or the status that the workflow has now."""
    answer = house.app.post(f"/workflows/{instance_id}/{verb}", json=payload)
    body: dict[str, Any] = answer.json()
    return answer.status_code, str(body.get("status") or body["error"]["code"])


def executed(house: Stack, instance_id: str, count: int) -> None:
    until(lambda: len(house.executions(instance_id)) >= count, f"{count} of {instance_id}")


def awaits_approval(house: Stack, instance_id: str) -> None:
    """Wait until the turn that took up the first step's result is over.

    The SDK fails a workflow that is suspended in the turn in which it asks for its next step: its
    replay then finds the step behind the suspension, and asks for it once more.
    """
    until(
        lambda: house.history_length(instance_id) == HISTORY_OF_ONE_STEP,
        f"{instance_id} waits for its approval",
    )


def test_a_suspended_workflow_takes_no_step_until_it_is_resumed(house: Stack) -> None:
    """It takes up what arrives, goes on where it was, and pays no step twice."""
    start(house, "paused", steps=4, approval_after=1)
    awaits_approval(house, "paused")
    assert steer(house, "paused", "suspend") == (202, "suspended")
    assert steer(house, "paused", "events/approve", YES) == (202, "raised")
    taken_up = HISTORY_OF_ONE_STEP + 4
    until(lambda: house.history_length("paused") == taken_up, "the event's turn is over")
    assert house.workflow("paused")["engine"]["status"] == "SUSPENDED"
    assert len(house.executions("paused")) == 1
    assert steer(house, "paused", "resume") == (202, "resumed")
    assert house.until_status("paused", "COMPLETED")["output"]["steps"] == 4
    assert [each["run"] for each in house.executions("paused")] == [1] * 4


def test_of_two_suspends_at_once_one_is_refused(house: Stack) -> None:
    """The SDK's worker would not survive the second: the workflow goes on after its resume."""
    start(house, "raced", steps=2, approval_after=1)
    awaits_approval(house, "raced")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: steer(house, "raced", "suspend"), range(8)))
    assert sorted(answers) == [(202, "suspended")] + [(409, "instance_suspended")] * 7
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: steer(house, "raced", "resume"), range(8)))
    assert sorted(answers) == [(202, "resumed")] + [(409, "instance_not_suspended")] * 7
    assert steer(house, "raced", "events/approve", YES) == (202, "raised")
    assert house.until_status("raced", "COMPLETED")["output"]["status"] == "completed"


def test_what_is_not_suspended_is_not_resumed(house: Stack) -> None:
    """The SDK would fail the workflow, so it is never asked to."""
    start(house, "never-paused", steps=2, approval_after=1)
    assert steer(house, "never-paused", "resume") == (409, "instance_not_suspended")
    steer(house, "never-paused", "events/approve", YES)
    house.until_status("never-paused", "COMPLETED")


def test_an_agent_waits_for_its_approval(house: Stack) -> None:
    """No step is paid after `approval_after` before the yes."""
    start(house, "approved", steps=3, approval_after=2)
    executed(house, "approved", 2)
    assert house.workflow("approved")["engine"]["status"] == "RUNNING"
    assert steer(house, "approved", "events/approve", {"approved": 1}) == (422, "invalid_request")
    assert steer(house, "approved", "events/other", {"approved": False}) == (202, "raised")
    assert len(house.executions("approved")) == 2
    assert steer(house, "approved", "events/Approve", YES) == (202, "raised")
    output = house.until_status("approved", "COMPLETED")["output"]
    assert (output["status"], output["steps"]) == ("completed", 3)


def test_a_no_ends_an_agent_early(house: Stack) -> None:
    """Its result says so, and tells the steps that were paid; the answer may come too early."""
    start(house, "rejected", steps=4, approval_after=2)
    assert steer(house, "rejected", "events/approve", {"approved": False}) == (202, "raised")
    output = house.until_status("rejected", "COMPLETED")["output"]
    assert (output["status"], output["steps"]) == ("rejected", 2)
    assert len(house.executions("rejected")) == 2


def test_a_word_of_another_client_that_is_no_yes_or_no_does_not_count(house: Stack) -> None:
    """The app refuses it, another client does not: the workflow goes on waiting."""
    start(house, "mumbled", steps=2, approval_after=1)
    host, _, port = house.parts["app"].env["WORKFLOW_APP_SIDECAR_ADDRESS"].rpartition(":")
    with closing(DaprWorkflowClient(host=host, port=port)) as client:
        for word in ("yes", {"approved": "no"}, None):
            client.raise_workflow_event("mumbled", "approve", data=word)
    assert steer(house, "mumbled", "events/approve", {"approved": False}) == (202, "raised")
    assert house.until_status("mumbled", "COMPLETED")["output"]["status"] == "rejected"
    assert len(house.executions("mumbled")) == 1


def test_an_event_of_a_suspended_workflow_is_kept(house: Stack) -> None:
    """It counts once the workflow is resumed."""
    start(house, "asleep", steps=2, approval_after=1)
    awaits_approval(house, "asleep")
    assert steer(house, "asleep", "suspend") == (202, "suspended")
    assert steer(house, "asleep", "events/approve", YES) == (202, "raised")
    assert house.workflow("asleep")["engine"]["status"] == "SUSPENDED"
    assert steer(house, "asleep", "resume") == (202, "resumed")
    assert house.until_status("asleep", "COMPLETED")["output"]["steps"] == 2


@pytest.mark.parametrize("verb", ["suspend", "resume", "events/approve"])
def test_what_has_ended_or_never_was_can_not_be_steered(house: Stack, verb: str) -> None:
    """404 for an unknown instance, 409 for one that has ended."""
    ended = f"ended-{verb.replace('/', '-')}"
    start(house, ended, steps=1)
    house.until_status(ended, "COMPLETED")
    assert steer(house, ended, verb, YES) == (409, "instance_ended")
    assert steer(house, "never-steered", verb, YES) == (404, "unknown_instance")


def test_a_suspended_workflow_can_be_terminated_and_purged(house: Stack) -> None:
    """Its end does not wait for a resume."""
    start(house, "stopped", steps=2, approval_after=1)
    awaits_approval(house, "stopped")
    assert steer(house, "stopped", "suspend") == (202, "suspended")
    assert steer(house, "stopped", "terminate") == (202, "terminating")
    house.until_status("stopped", "TERMINATED")
    assert steer(house, "stopped", "purge") == (200, "purged")
