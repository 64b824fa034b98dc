"""What goes wrong between a caller and a scheduler.

SchedulerApiError
├── SchedulerUnreachableError   nobody answers there in time: check the address
├── SchedulerRefusedError       it answered no: carries its status name and words
└── JobsLeftError               jobs came back while they were being deleted: the workflow lives
"""


class SchedulerApiError(Exception):
    """Base of all errors of this package."""


class SchedulerUnreachableError(SchedulerApiError):
    """Nobody answered at `address` within the deadline."""

    def __init__(self, address: str, details: str) -> None:
        super().__init__(f"no scheduler answers at {address}: {details}")
        self.address = address


class SchedulerRefusedError(SchedulerApiError):
    """The scheduler at `address` answered with the gRPC status `code`."""

    def __init__(self, address: str, code: str, details: str) -> None:
        super().__init__(f"the scheduler at {address} refused: {code} {details}")
        self.address = address
        self.code = code


class JobsLeftError(SchedulerApiError):
    """Jobs of `instance_id` were still there after they had been deleted."""

    def __init__(self, instance_id: str, left: int) -> None:
        super().__init__(
            f"{left} activity jobs of {instance_id} were there again after they had been deleted: "
            "something still schedules them"
        )
        self.instance_id = instance_id
        self.left = left
