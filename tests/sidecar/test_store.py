"""The rows in Redis against those that were read from a real Dapr's Redis."""

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from sidecar.protos import BackendWorkflowStateMetadata, HistoryEvent
from tests.sidecar import traces
from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import start
from tests.sidecar.stack import Stack

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]

COMPLETED = [
    "workflowStarted",
    "executionStarted",
    "taskScheduled",
    "workflowStarted",
    "taskCompleted",
    "taskScheduled",
    "workflowStarted",
    "eventRaised",
    "workflowStarted",
    "taskCompleted",
    "taskScheduled",
    "workflowStarted",
    "taskCompleted",
    "executionCompleted",
]


def _row(stack: Stack, instance: str, row: str) -> dict[bytes, bytes]:
    found: Any = stack.redis.hgetall(stack.key(instance, row))
    assert isinstance(found, dict)
    return found


def _history(stack: Stack, instance: str) -> list[HistoryEvent]:
    rows = [each for each in stack.keys(instance) if each.startswith("history-")]
    return [HistoryEvent.FromString(_row(stack, instance, each)[b"data"]) for each in rows]


def test_a_completed_workflow_leaves_the_rows_that_dapr_leaves(
    played: Mapping[str, Stack], profile: str
) -> None:
    """Three activities and an event make fourteen history rows, metadata and custom status."""
    stack = played[profile]
    rows = [f"history-{each:06d}" for each in range(len(COMPLETED))]
    assert stack.keys("keys-1") == sorted([*rows, "metadata", "customStatus"])
    kinds = [each.WhichOneof("eventType") for each in _history(stack, "keys-1")]
    assert kinds == COMPLETED
    assert {stack.redis.type(stack.key("keys-1", each)) for each in rows} == {b"hash"}


def test_rows_are_hashes_of_data_and_a_counter_of_writes(
    played: Mapping[str, Stack], profile: str
) -> None:
    """History is written once, metadata ten times and the custom status at each of five turns."""
    stack = played[profile]
    for row in stack.keys("keys-1"):
        assert set(_row(stack, "keys-1", row)) == {b"data", b"version"}
    versions = {row: _row(stack, "keys-1", row)[b"version"] for row in stack.keys("keys-1")}
    assert versions.pop("metadata") == b"10"
    assert versions.pop("customStatus") == b"5"
    assert set(versions.values()) == {b"1"}


def test_metadata_and_custom_status_have_the_recorded_bytes(
    played: Mapping[str, Stack], profile: str
) -> None:
    """Metadata is `10 0e 18 01` after fourteen rows; the status is a wrapped string, or nothing."""
    stack = played[profile]
    assert _row(stack, "keys-1", "metadata")[b"data"].hex() == "100e1801"
    assert _row(stack, "keys-1", "customStatus")[b"data"] == b""
    assert _row(stack, "keys-1b", "metadata")[b"data"].hex() == "10031801"
    assert _row(stack, "keys-1b", "metadata")[b"version"] == b"2"
    assert _row(stack, "keys-1b", "customStatus")[b"data"].hex() == "0a0777616974696e67"
    assert _row(stack, "keys-1b", "customStatus")[b"version"] == b"1"


def test_the_timer_of_an_event_is_stored_as_the_version_stores_it(
    played: Mapping[str, Stack], profile: str
) -> None:
    """1.16 stores the time alone; 1.18 also which event it is for, and the app."""
    created = MessageToDict(_history(played[profile], "keys-1b")[-1])
    created.pop("timestamp")
    bare = {"eventId": 1, "timerCreated": {"fireAt": "9999-12-31T23:59:59.999999999Z"}}
    if profile == "1.18.3":
        bare["timerCreated"]["externalEvent"] = {"name": "go"}  # type: ignore[index]  # a dict
        bare["router"] = {"sourceAppID": "lab"}
    assert created == bare


def test_the_stored_history_is_what_the_app_was_told(
    played: Mapping[str, Stack], profile: str
) -> None:
    """The rows are the last turn's past and news, and then how it ended."""
    stack = played[profile]
    last = traces.turns(stack.tap.of("happy-1"))[-1]
    stored = [traces.plain(MessageToDict(each)) for each in _history(stack, "happy-1")]
    assert stored[:-1] == [*last["pastEvents"], *last["newEvents"]]
    assert "executionCompleted" in stored[-1]


def test_without_a_ttl_no_key_expires(played: Mapping[str, Stack], profile: str) -> None:
    """No component TTL, no EXPIRE."""
    stack = played[profile]
    rows = stack.keys("happy-1")
    assert {stack.redis.ttl(stack.key("happy-1", each)) for each in rows} == {-1}


def test_purged_rows_are_gone(played: Mapping[str, Stack], profile: str) -> None:
    """A purge leaves no key."""
    assert played[profile].keys("term-1") == []


def test_a_workflow_runs_on_from_memory_when_its_keys_have_expired(
    expired: Mapping[str, Stack], profile: str
) -> None:
    """TTL alone does not loop: each activity is executed once, and the workflow completes."""
    stack = expired[profile]
    assert [each["task"] for each in stack.executions("ttl-live")] == [1, 2]
    done = traces.answers(stack.tap.of("ttl-live"), "WaitForInstanceCompletion")
    assert done[0][1]["workflowState"]["output"] == '[{"i": 0}, {"i": 1}]'


def test_what_a_client_is_told_of_expired_state(expired: Mapping[str, Stack], profile: str) -> None:
    """RUNNING, then nothing, then 1.16: PENDING without a name, 1.18: an error, as recorded."""
    real = traces.about(traces.recorded(profile, "ttl_live_sidecar"), "ttl-live")
    told = [_input_aside(each) for each in traces.answers(real, "GetInstance")]
    once = [each for n, each in enumerate(told) if each not in told[:n]]
    ours = traces.answers(expired[profile].tap.of("ttl-live"), "GetInstance")
    assert [_input_aside(each) for each in ours] == once[:3]


def _input_aside(answer: Any) -> Any:
    method, body, error = answer
    state = {k: v for k, v in body.get("workflowState", {}).items() if k != "input"}
    return method, body.get("exists"), state, error


def test_metadata_of_an_instance_parses_as_the_sdks_message(
    played: Mapping[str, Stack], profile: str
) -> None:
    """The generation grows with each continue-as-new, and the history begins anew."""
    data = _row(played[profile], "can-1", "metadata")[b"data"]
    metadata = BackendWorkflowStateMetadata.FromString(data)
    history = [each for each in played[profile].keys("can-1") if each.startswith("history-")]
    assert (metadata.generation, metadata.historyLength) == (3, len(history))


def test_a_reader_in_the_middle_of_a_save_sees_a_whole_state(
    played: Mapping[str, Stack], profile: str
) -> None:
    """However often a running workflow is asked for, no row is ever missed."""
    stack = played[profile]
    missed = _misses(stack)
    start(stack, "seq", "read", {"steps": 30})
    seen = {"RUNNING"}
    while seen != {"RUNNING", "COMPLETED"}:
        state = stack.client.get_workflow_state("read")
        assert state is not None
        seen.add(state.runtime_status.name)
    assert _misses(stack) == missed


def _misses(stack: Stack) -> int:
    return sum("not found" in each["event"] for each in stack.log())
