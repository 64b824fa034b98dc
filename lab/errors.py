"""Everything that can go wrong in the lab, named by who can act on it.

LabError
├── UsageError            the user gave a bad value: every one is named
├── StoppedError          the user asked the lab to stop
└── CannotRunError        the lab could not do its work
    ├── PortTakenError        another program holds a port
    ├── RedisBinaryError      no usable Redis-protocol server
    ├── DaprBinariesError     no usable programs of Dapr
    ├── DockerError           no usable Docker, or it refused
    ├── StackRunningError     a stack runs already
    ├── NoStackError          no stack runs
    ├── NoRunError            no complete run is kept there
    ├── ServiceFailedError    a service ended or never became ready
    ├── ArmFailedError        one arm of a run could not be brought to its end
    ├── UnexpectedError       the lab met what it did not foresee
    ├── GuardStoppedError     a spending guard stopped what was not meant to be stopped
    └── DeadlineError         something awaited did not happen in time
"""

from collections.abc import Sequence


class LabError(Exception):
    """Base of all; its text is what the user reads."""


class UsageError(LabError):
    """Bad input; `problems` names every bad value, one a line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StoppedError(LabError):
    """Ctrl-C or SIGTERM arrived."""


class CannotRunError(LabError):
    """The lab could not do its work; nothing was learned."""


class PortTakenError(CannotRunError):
    """One or more ports are held by other programs."""


class RedisBinaryError(CannotRunError):
    """No Redis-protocol server of version 7.0 or newer was found."""


class DaprBinariesError(CannotRunError):
    """Dapr's three programs were not found together, or do not say their version."""


class DockerError(CannotRunError):
    """Docker is not there, or did not do what it was asked."""


class StackRunningError(CannotRunError):
    """A stack runs already."""


class NoStackError(CannotRunError):
    """No stack runs."""


class NoRunError(CannotRunError):
    """No complete run is kept where one was looked for."""


class ServiceFailedError(CannotRunError):
    """A service ended, or never became ready.

    Attributes:
        service: its name.
        reason: what was seen, in words.
        tail: the last lines of its log.
    """

    def __init__(self, service: str, reason: str, tail: str) -> None:
        shown = tail or "(its log is empty)"
        super().__init__(f"{service} {reason}; its last log lines:\n{shown}")
        self.service = service
        self.reason = reason
        self.tail = tail


class DeadlineError(CannotRunError):
    """Something awaited did not happen in time."""


class ArmFailedError(CannotRunError):
    """One arm of a run could not be brought to its end; its text names the arm and the cause."""

    def __init__(self, arm: str, cause: LabError) -> None:
        super().__init__(f"arm {arm}: {cause}")


class UnexpectedError(CannotRunError):
    """Something that the lab did not foresee; its text is one line that names the exception."""

    def __init__(self, cause: Exception, kept_in: str) -> None:
        said = " ".join(str(cause).split())
        shown = f"{type(cause).__name__}: {said}" if said else type(cause).__name__
        super().__init__(f"unexpected {shown} (traceback: {kept_in})")


class GuardStoppedError(CannotRunError):
    """The budget guard stopped a run that was not meant to be stopped."""
