"""What can be read off a workflow's state."""

from sidecar.engine.instance import status_name
from sidecar.protos import ORCHESTRATION_STATUS_COMPLETED, OrchestrationStatus


def test_a_status_that_no_version_knows_is_told_by_its_number() -> None:
    """An app's own mistake hides neither the instance nor those beside it."""
    unknown: OrchestrationStatus.ValueType = 99  # type: ignore[assignment]
    assert status_name(unknown) == "99"
    assert status_name(ORCHESTRATION_STATUS_COMPLETED) == "COMPLETED"
