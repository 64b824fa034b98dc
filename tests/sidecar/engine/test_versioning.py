"""What a turn keeps of versions and patches, and what stalls it."""

import pytest

from sidecar.engine import versioning
from sidecar.engine.history import History
from sidecar.protos import (
    PATCH_MISMATCH,
    VERSION_NOT_AVAILABLE,
    HistoryEvent,
    service_pb2,
)


def opening(*patches: str, name: str = "") -> HistoryEvent:
    event = HistoryEvent()
    event.workflowStarted.SetInParent()
    if patches or name:
        event.workflowStarted.version.patches.extend(patches)
        if name:
            event.workflowStarted.version.name = name
    return event


def answer(*patches: str, name: str = "") -> service_pb2.WorkflowResponse:
    response = service_pb2.WorkflowResponse()
    if patches or name:
        response.version.CopyFrom(opening(*patches, name=name).workflowStarted.version)
    return response


@pytest.mark.parametrize(
    ("past", "now", "kept"),
    [
        ([], answer(), opening()),
        ([], answer(name="v1"), opening(name="v1")),
        ([], answer("a", "b"), opening("a", "b")),
        ([opening("a")], answer("a", "b"), opening("b")),
        ([opening("a")], answer("a"), opening()),
        ([opening("a")], answer("a", "a"), opening("a")),
        ([], answer("a", name="v1"), opening("a")),
    ],
)
def test_a_turn_keeps_what_is_new(
    past: list[HistoryEvent], now: service_pb2.WorkflowResponse, kept: HistoryEvent
) -> None:
    """Patches that earlier turns kept are left out; a version is kept where there are none."""
    assert versioning.kept(past, opening(), now) == kept


@pytest.mark.parametrize(
    ("past", "now", "stalls"),
    [
        ([], answer(), False),
        ([], answer("a"), False),
        ([opening("a")], answer("a", "b"), False),
        ([opening("a"), opening("b")], answer("a", "b"), False),
        ([opening("a")], answer(), True),
        ([opening("a")], answer("b", "a"), True),
    ],
)
def test_patches_only_grow(
    past: list[HistoryEvent],
    now: service_pb2.WorkflowResponse,
    stalls: bool,  # noqa: FBT001
) -> None:
    """A turn stalls unless its patches begin with all of the history's, in order."""
    stall = versioning.stall(past, now)
    assert (stall is not None) == stalls
    if stall is not None:
        assert stall.reason == PATCH_MISMATCH
        assert stall.text.startswith("Patch mismatch. History patches: [a], current patches: [")


def test_a_version_that_the_app_lacks_stalls() -> None:
    """The text names the version that the first turn was taken with."""
    response = service_pb2.WorkflowResponse()
    response.actions.add().workflowVersionNotAvailable.SetInParent()
    stall = versioning.stall([opening(name="v1")], response)
    assert stall == versioning.Stall(VERSION_NOT_AVAILABLE, "Version not available: v1")
    assert versioning.version_name([opening(name="v1"), opening()]) == "v1"


def test_a_long_history_is_read_like_a_short_one() -> None:
    """An index over many turns knows the version and all patches, in order."""
    turns = [opening() for _ in range(100)]
    past = History([opening(name="v1"), *turns, opening("a"), *turns])
    longer = past.followed_by([opening("b"), *turns])
    assert longer.indexed is not None
    assert versioning.version_name(longer) == "v1"
    assert versioning.stall(longer, answer("a", "b", "c")) is None
    assert versioning.stall(longer, answer("b", "a")) is not None
    assert versioning.kept(longer, opening(), answer("a", "b", "c")) == opening("c")
