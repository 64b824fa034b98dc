"""What a dropped stream of work items does."""

from tests.sidecar.faults.switches import Switches
from tests.sidecar.recorded_logs import logged, recorded
from tests.sidecar.scenarios import finish, get, start
from tests.sidecar.stack import Stack, until


def test_a_dropped_stream_fails_what_is_in_flight(running: Stack, switches: Switches) -> None:
    """The activity is aborted and executed again, on the stream that the SDK opens by itself."""
    running.order("drop", hold=True)
    start(running, "seq", "drop", {"steps": 1})
    until(lambda: running.executions("drop"))
    shown = switches.set("drop_app_stream")
    running.order("drop")
    assert (shown["hits"], shown["active"]) == (1, False)
    assert finish(running, "drop").serialized_output == '[{"i": 0}]'
    assert len(running.executions("drop")) == 2
    expected = recorded(running.profile, "restart_app_in_activity", "rapp", "drop")
    assert len(expected) == 4
    assert expected <= logged(running)


def test_streams_are_kept_out_until_the_fault_is_lifted(old: Stack, old_switches: Switches) -> None:
    """The app has connected again and gets nothing; it is all there once the fault is lifted."""
    start(old, "ext", "kept-out")
    assert old_switches.set("drop_app_stream", duration_s=60)["active"]
    assert old.metadata()["workflows"] == {"connectedWorkers": 0}
    until(lambda: old.metadata()["actorRuntime"]["activeActors"][0]["count"] == 0)
    old.client.raise_workflow_event("kept-out", "go", data=1)
    until(lambda: "inbox-000000" in old.keys("kept-out"))
    assert get(old, "kept-out").runtime_status.name == "RUNNING"
    assert old_switches.lift("drop_app_stream") == 1
    assert finish(old, "kept-out").serialized_output == "1"
    assert old.metadata()["workflows"] == {"connectedWorkers": 1}
