"""What a failing state store does."""

import pytest

from tests.sidecar.faults.switches import Switches
from tests.sidecar.scenarios import finish, get, start, tried
from tests.sidecar.stack import Stack, until


@pytest.mark.parametrize("applied", [False, True])
def test_nothing_is_lost_once_a_failing_store_recovers(
    running: Stack, switches: Switches, *, applied: bool
) -> None:
    """While all writes fail nothing moves on; afterwards the workflow ends with all its results."""
    instance = f"failing-{applied}"
    running.order(instance, hold=True)
    start(running, "seq", instance, {"steps": 3})
    until(lambda: running.executions(instance))
    switches.set("failing_store", share=1, operations="writes", applied=applied)
    running.order(instance)
    switches.wait_for_hits("failing_store", 2)
    switches.lift("failing_store")
    assert finish(running, instance).serialized_output == '[{"i": 0}, {"i": 1}, {"i": 2}]'


def test_the_next_operations_fail_and_no_more(old: Stack, old_switches: Switches) -> None:
    """A caller is told of the failure; the fault is over when it has struck so often."""
    start(old, "ext", "next")
    old_switches.set("failing_store", next=1, operations="reads")
    refused = tried(old.client.get_workflow_state, "next")
    assert "state store: failed on purpose" in str(refused)
    shown = old_switches.get("failing_store")
    assert (shown["active"], shown["hits"]) == (False, 1)
    assert get(old, "next").runtime_status.name == "RUNNING"
    old.client.terminate_workflow("next")
