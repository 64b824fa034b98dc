"""When a one-shot job is delivered, and when again after a failure. Pure: time comes as argument.

Law: the n-th retry is due n intervals after the due time, however late the deliveries run. What is
past due is due at once, so a lag of L seconds is followed by L / interval deliveries back to back.
"""

from dataclasses import dataclass, replace

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What follows a failed delivery.

    Attributes:
        interval_us: From one due delivery to the next, in microseconds.
        max_retries: Deliveries after the first failed one; None for ever, 0 drops the job.
    """

    interval_us: int
    max_retries: int | None


# Dapr's: a job without a policy.
DEFAULT_POLICY = RetryPolicy(interval_us=SECOND_US, max_retries=3)
DROP_POLICY = RetryPolicy(interval_us=0, max_retries=0)


@dataclass(frozen=True, slots=True)
class RetryClock:
    """State of one job's clock.

    Attributes:
        policy: Its failure policy.
        next_us: When the next delivery is due, microseconds since the epoch; may lie in the past.
        attempts: How many deliveries have failed.
    """

    policy: RetryPolicy
    next_us: int
    attempts: int = 0

    def is_due(self, now_us: int) -> bool:
        """Tell whether the next delivery is due."""
        return self.next_us <= now_us

    def failed(self) -> "RetryClock | None":
        """Return the clock after a failed delivery; None when the job is to be dropped."""
        attempts = self.attempts + 1
        limit = self.policy.max_retries
        if limit is not None and attempts > limit:
            return None
        return replace(self, next_us=self.next_us + self.policy.interval_us, attempts=attempts)
