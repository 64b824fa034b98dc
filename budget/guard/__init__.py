"""A limit for the executions of one Dapr activity, for apps without a gateway.

For a Dapr that executes an activity for ever once its workflow's state is lost (up to 1.16.1).
"""

from budget.guard.errors import (
    CountUnavailableError,
    GuardError,
    GuardUsageError,
    NonRetryableError,
)
from budget.guard.guard import ActivityGuard, guarded

__all__ = [
    "ActivityGuard",
    "CountUnavailableError",
    "GuardError",
    "GuardUsageError",
    "NonRetryableError",
    "guarded",
]
