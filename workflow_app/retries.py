"""The retry policies that an input can name."""

from datetime import timedelta
from typing import Literal

from dapr.ext.workflow import RetryPolicy

Retry = Literal["none", "incident"]


def retry_policy(name: Retry) -> RetryPolicy | None:
    """Return the policy of that name; None is a single attempt."""
    return incident_retry_policy() if name == "incident" else None


def incident_retry_policy() -> RetryPolicy:
    """Return the incident's policy; it can't end a runaway, whose activity succeeds each time."""
    return RetryPolicy(
        first_retry_interval=timedelta(seconds=1),
        max_number_of_attempts=3,
        backoff_coefficient=2,
        max_retry_interval=timedelta(seconds=10),
        retry_timeout=timedelta(seconds=100),
    )
