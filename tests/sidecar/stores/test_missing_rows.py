"""What a loaded instance is like whose history has lost a row."""

import pytest
from structlog.testing import capture_logs

from sidecar.engine import events
from sidecar.engine.instance import Instance
from sidecar.errors import PartialStateError
from sidecar.names import AppNames
from sidecar.profiles import profile
from sidecar.stores.sqlite import SqliteRows
from sidecar.stores.workflows import WorkflowStore

NAMES = AppNames("lab", "default")
HISTORY = (
    events.event(10**18, workflowStarted={}),
    events.event(10**18, eventRaised={"name": "go"}),
)


async def _without_first_row(version: str) -> WorkflowStore:
    rows = SqliteRows()
    store = WorkflowStore(rows, NAMES, profile(version), lambda: None)
    await store.save_turn("cut", Instance(), Instance(history=HISTORY))
    await rows.write({}, [NAMES.key("cut", "history-000000")], None)
    return store


@pytest.mark.parametrize("version", ["1.16.1", "1.16.2", "1.17"])
async def test_older_versions_warn_and_go_on_with_what_is_left(version: str) -> None:
    """In the words of daprd, at its level."""
    store = await _without_first_row(version)
    with capture_logs() as logs:
        state = await store.load("cut")
    assert state is not None
    assert list(state.history) == [HISTORY[1]]
    text = "Failed to load history state key 'history-000000': not found"
    assert [(each["log_level"], each["event"]) for each in logs] == [("warning", text)]


async def test_1_18_3_refuses_what_is_left() -> None:
    """The error names the row, and how many were declared."""
    store = await _without_first_row("1.18.3")
    with pytest.raises(PartialStateError, match=r"history-000000.*historyLength=2"):
        await store.load("cut")


async def test_1_15_takes_it_for_no_workflow_at_all() -> None:
    """So its activities run away as if all were lost."""
    store = await _without_first_row("1.15")
    assert await store.load("cut") is None
