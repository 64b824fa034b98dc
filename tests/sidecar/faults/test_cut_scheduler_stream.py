"""What a cut between sidecar and scheduler does."""

from tests.sidecar.faults.switches import Switches
from tests.sidecar.scenarios import finish, get, start
from tests.sidecar.stack import Stack, until


def test_due_jobs_wait_while_the_stream_is_cut(old: Stack, old_switches: Switches) -> None:
    """No turn is taken meanwhile; the workflow goes on when the stream is opened again."""
    start(old, "ext", "cut")
    shown = old_switches.set("cut_scheduler_stream", duration_s=60)
    assert (shown["hits"], shown["active"]) == (1, True)
    old.client.raise_workflow_event("cut", "go", data=1)
    until(lambda: "inbox-000000" in old.keys("cut"))
    assert get(old, "cut").runtime_status.name == "RUNNING"
    old_switches.lift("cut_scheduler_stream")
    assert finish(old, "cut").serialized_output == "1"


def test_a_stream_that_is_cut_once_comes_back_by_itself(old: Stack, old_switches: Switches) -> None:
    """What was in flight ends, and what comes later is done."""
    start(old, "seq", "cut-once", {"steps": 2, "sleep": 0.5})
    until(lambda: old.executions("cut-once"))
    assert not old_switches.set("cut_scheduler_stream")["active"]
    assert finish(old, "cut-once").serialized_output == '[{"i": 0}, {"i": 1}]'
