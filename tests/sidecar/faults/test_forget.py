"""What the loss of memory does: nothing by itself, and the runaway once the state has expired."""

from scheduler_api import SchedulerClient
from tests.sidecar.conftest import KEPT_S
from tests.sidecar.faults.switches import Switches
from tests.sidecar.recorded_logs import logged, recorded
from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import APP_ID, Stack, until

TTL_S = 1
LOOP = 4


def test_expiry_and_forgetting_make_the_runaway_without_a_restart(
    running: Stack, switches: Switches
) -> None:
    """TTL and a rebalance: endless executions on 1.16.1, one more on 1.18.3."""
    running.set_ttl(TTL_S)
    try:
        start(running, "seq", "rebalanced", {"steps": 2, "sleep": 2.5, "later": 0.1})
        until(lambda: running.executions("rebalanced"))
        until(lambda: not running.keys("rebalanced"))
        shown = switches.set("forget", instance="rebalanced", in_flight=False)
        assert (shown["hits"], shown["active"]) == (1, False)
        expected = recorded(running.profile, "runaway_2s", "runaway-2s", "rebalanced")
        assert len(expected) == 2
        until(lambda: expected <= logged(running), what="daprd's lines")
        if running.profile == "1.16.1":
            until(lambda: len(running.executions("rebalanced")) >= LOOP)
        else:
            assert len(running.executions("rebalanced")) == 1
    finally:
        running.set_ttl(KEPT_S)
        with SchedulerClient(running.env["SIDECAR_SCHEDULER_ADDRESS"]) as scheduler:
            scheduler.delete_instance_jobs(APP_ID, "rebalanced")


def test_a_workflow_whose_state_is_stored_goes_on(running: Stack, switches: Switches) -> None:
    """Its activity in flight is executed again on 1.16.1 and joined on 1.18.3; nothing is lost."""
    start(running, "seq", "stored", {"steps": 2, "sleep": 1.5, "later": 0.1})
    until(lambda: running.executions("stored"))
    assert switches.set("forget")["hits"] >= 1
    assert finish(running, "stored").serialized_output == '[{"i": 0}, {"i": 1}]'
    begun = [each["task"] for each in running.executions("stored")]
    if running.profile == "1.16.1":
        assert begun == [1, 1, 2]
        words = ("context canceled", "cancellation signal", "failed before receiving")
        lines = recorded("1.16.1", "restart_sidecar_sigterm", "rterm", "stored")
        expected = {each for each in lines if any(word in each[2] for word in words)}
        assert len(expected) == 3
        assert expected <= logged(running)
    else:
        assert begun == [1, 2]
