"""What the SDK gives to an activity."""

from types import SimpleNamespace
from typing import Any


def context(instance: str = "i-1", *, task: int = 1, execution: str = "e-1") -> Any:
    """Build the context of one execution."""
    inner = SimpleNamespace(task_execution_id=execution)
    return SimpleNamespace(workflow_id=instance, task_id=task, get_inner_context=lambda: inner)
