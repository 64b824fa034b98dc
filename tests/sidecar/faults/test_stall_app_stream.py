"""What a stalled stream of work items does."""

from tests.sidecar.faults.switches import Switches
from tests.sidecar.scenarios import finish, get, start
from tests.sidecar.stack import Stack, until


def test_a_stalled_stream_loses_nothing(old: Stack, old_switches: Switches) -> None:
    """What is due meanwhile waits, and is executed once when the fault is lifted."""
    old.order("stall", hold=True)
    start(old, "seq", "stall", {"steps": 2})
    until(lambda: old.executions("stall"))
    old_switches.set("stall_app_stream")
    old.order("stall")
    # The turn that takes up the first result.
    old_switches.wait_for_hits("stall_app_stream")
    assert len(old.executions("stall")) == 1
    old_switches.lift("stall_app_stream")
    assert finish(old, "stall").serialized_output == '[{"i": 0}, {"i": 1}]'
    assert len(old.executions("stall")) == 2


def test_answers_can_be_stalled_too(old: Stack, old_switches: Switches) -> None:
    """A result waits at the door while the fault is set, and counts afterwards."""
    old.order("answers", hold=True)
    start(old, "seq", "answers", {"steps": 1})
    until(lambda: old.executions("answers"))
    old_switches.set("stall_app_stream", answers=True)
    old.order("answers")
    until(lambda: old.executions("answers", "end"))
    old_switches.wait_for_hits("stall_app_stream")
    assert get(old, "answers").runtime_status.name == "RUNNING"
    old_switches.lift("stall_app_stream")
    finish(old, "answers")
    assert len(old.executions("answers")) == 1
