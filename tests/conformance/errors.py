"""Why a comparison could not be made.

ConformanceError
├── BadArgumentsError   the caller: mend the command line
├── UnreachableError    the caller: nothing answers at an address
├── HandleFailedError   the caller: a command given as a handle failed
└── StageError          the run: the sidecar or the app did not do what a scenario waits for
"""

from collections.abc import Sequence


class ConformanceError(Exception):
    """Base of all errors of this package."""


class BadArgumentsError(ConformanceError):
    """Arguments that can't be used, all of them at once.

    Attributes:
        problems: One line each, naming the argument and how to mend it.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UnreachableError(ConformanceError):
    """Nothing answers at an address."""

    def __init__(self, option: str, address: str, reason: str) -> None:
        super().__init__(f"{option} {address}: nothing answers there ({reason})")


class HandleFailedError(ConformanceError):
    """A command that was given to disturb the sidecar has failed."""

    def __init__(self, option: str, command: str, reason: str) -> None:
        super().__init__(f"{option} {command!r}: {reason}")


class StageError(ConformanceError):
    """What a scenario waits for did not come."""
