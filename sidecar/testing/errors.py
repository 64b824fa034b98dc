"""What can go wrong between a test and its sidecar; each message says what to do.

TestingError
├── HostError       the sidecar did not start, or ended; its last log lines are in the message
├── NotReadyError   an app did not connect in time
└── UsageError      the test asks for what can't be, such as to kill a sidecar that is down
"""


class TestingError(Exception):
    """Base of all that `sidecar.testing` raises."""

    __test__ = False


class HostError(TestingError):
    """The processes beside the test failed."""


class NotReadyError(TestingError):
    """No app worker has connected in time."""


class UsageError(TestingError):
    """The call can't be carried out."""
