"""What goes wrong with a guard, by who can act on it.

GuardError
├── GuardUsageError        the developer: it is used in a way that guards nothing
├── CountUnavailableError  the operator: executions can't be counted, so none is made
└── NonRetryableError      nobody: this activity was executed too often; the Dapr SDK's RetryPolicy
                           exempts what has this class name, and nothing else
"""


class GuardError(Exception):
    """Base of every error of this package."""


class GuardUsageError(GuardError):
    """The guard is used in a way that would guard nothing."""


class CountUnavailableError(GuardError):
    """The file or Redis with the counts does not answer: closed, never open."""


class NonRetryableError(GuardError):
    """The activity was executed as often as it may be; its function is not called.

    Attributes:
        executions: How often it was delivered.
        limit: How often it may be.
    """

    def __init__(self, message: str, executions: int, limit: int) -> None:
        super().__init__(message)
        self.executions = executions
        self.limit = limit
