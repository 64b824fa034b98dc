"""Versions and patches of workflows: what a turn's `workflowStarted` keeps, and what stalls one.

From the source of Dapr 1.17 and 1.18.3, not recorded. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sidecar.engine.events import has_version
from sidecar.engine.history import index_of
from sidecar.protos import (
    PATCH_MISMATCH,
    VERSION_NOT_AVAILABLE,
    HistoryEvent,
    WorkflowVersion,
    service_pb2,
)

_NOT_AVAILABLE = "workflowVersionNotAvailable"


@dataclass(frozen=True, slots=True)
class Stall:
    """Why an instance can't go on until its app is another one.

    Attributes:
        reason: A value of `StalledReason`.
        text: Dapr's words for it.
    """

    reason: int
    text: str


def stall(past: Iterable[HistoryEvent], response: service_pb2.WorkflowResponse) -> Stall | None:
    """Return why a turn counts for nothing; None when it counts."""
    versions = _versions(past)
    for action in response.actions:
        if action.WhichOneof("workflowActionType") == _NOT_AVAILABLE:
            name = versions[0].name if versions else ""
            return Stall(VERSION_NOT_AVAILABLE, f"Version not available: {name}")
    before = [patch for each in versions for patch in each.patches]
    now = list(response.version.patches)
    if now[: len(before)] == before:
        return None
    told = (
        f"Patch mismatch. History patches: [{', '.join(before)}], "
        f"current patches: [{', '.join(now)}]. "
    )
    return Stall(PATCH_MISMATCH, told)


def kept(
    past: Iterable[HistoryEvent], opening: HistoryEvent, response: service_pb2.WorkflowResponse
) -> HistoryEvent:
    """Return the turn's `workflowStarted` with what it adds to the versions before it.

    A turn that names patches keeps those that are new, and then not the version, as in Dapr.
    """
    version = response.version
    if not version.patches and not version.HasField("name"):
        return opening
    made = HistoryEvent.FromString(opening.SerializeToString())
    if not version.patches:
        made.workflowStarted.version.CopyFrom(version)
        return made
    if added := list(_added(past, version.patches)):
        made.workflowStarted.version.patches.extend(added)
    return made


def version_name(history: Iterable[HistoryEvent]) -> str:
    """Return the version that the first turn was taken with; empty when it named none."""
    versions = _versions(history)
    return versions[0].name if versions else ""


def _added(past: Iterable[HistoryEvent], patches: Iterable[str]) -> Iterator[str]:
    known = Counter(patch for each in _versions(past) for patch in each.patches)
    for patch in patches:
        if known[patch]:
            known[patch] -= 1
        else:
            yield patch


def _versions(history: Iterable[HistoryEvent]) -> list[WorkflowVersion]:
    index = index_of(history)
    found = filter(has_version, history) if index is None else index.versioned
    return [each.workflowStarted.version for each in found]
