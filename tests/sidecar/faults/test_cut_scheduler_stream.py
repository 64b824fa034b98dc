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


def test_an_activity_whose_job_comes_again_is_joined_or_repeated(
    running: Stack, switches: Switches
) -> None:
    """The stream comes back by itself; 1.18.3 executes the activity once, 1.16.1 once more."""
    start(running, "seq", "cut-once", {"steps": 1, "sleep": 1.5, "later": 0.1})
    until(lambda: running.executions("cut-once"))
    assert not switches.set("cut_scheduler_stream")["active"]
    assert finish(running, "cut-once").serialized_output == '[{"i": 0}]'
    if running.profile == "1.16.1":
        until(lambda: len(running.executions("cut-once")) == 2)
    else:
        assert len(running.executions("cut-once")) == 1
