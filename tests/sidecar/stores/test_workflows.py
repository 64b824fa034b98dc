"""What is stored of a workflow, against what its app and its readers are told."""

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


def _row(stack: Stack, instance: str, row: str) -> dict[bytes, bytes]:
    found: Any = stack.redis.hgetall(stack.key(instance, row))
    assert isinstance(found, dict)
    return found


def _history(stack: Stack, instance: str) -> list[HistoryEvent]:
    rows = [each for each in stack.keys(instance) if each.startswith("history-")]
    return [HistoryEvent.FromString(_row(stack, instance, each)[b"data"]) for each in rows]


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
