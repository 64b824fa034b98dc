"""What a slow state store does."""

import time

from tests.sidecar.faults.switches import Switches
from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import Stack

LATENCY_MS = 150


def test_a_slow_store_makes_everything_late_and_loses_nothing(
    old: Stack, old_switches: Switches
) -> None:
    """Each read waits at least the latency less the jitter; the workflow still ends as it would."""
    start(old, "ext", "slow")
    old_switches.set("slow_store", latency_ms=LATENCY_MS, jitter_ms=50)
    began = time.monotonic()
    old.client.get_workflow_state("slow")
    assert time.monotonic() - began >= 2 * (LATENCY_MS - 50) / 1000
    old.client.raise_workflow_event("slow", "go", data=1)
    assert finish(old, "slow").serialized_output == "1"
    assert old_switches.get("slow_store")["hits"] >= 4


def test_reads_alone_can_be_slow(old: Stack, old_switches: Switches) -> None:
    """An event is a write, as the instance is in memory: it is stored at once."""
    start(old, "ext", "slow-reads")
    old_switches.set("slow_store", latency_ms=10_000, operations="reads")
    began = time.monotonic()
    old.client.raise_workflow_event("slow-reads", "go", data=1)
    assert time.monotonic() - began < 10
    old_switches.lift("slow_store")
    assert finish(old, "slow-reads").serialized_output == "1"
