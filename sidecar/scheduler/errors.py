"""Everything that the scheduler refuses.

SchedulerError
├── RequestError    the caller's to mend: carries the gRPC status that it gets
└── StoreError      the disk's fault: the job was not stored, and the caller was told so
"""

import grpc


class SchedulerError(Exception):
    """Base of all errors of the scheduler."""


class RequestError(SchedulerError):
    """A call is refused with `code` and `details`, in Dapr's words where Dapr has any."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class StoreError(SchedulerError):
    """A write did not reach the disk."""
