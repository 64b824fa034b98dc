"""What a runtime is to the lab: the stacks that it makes, and of which version of Dapr they are."""

from collections.abc import Collection, Mapping
from typing import Protocol

from lab.errors import UsageError
from lab.processes import Nursery
from lab.stack import Stack
from lab.stack_config import StackConfig

DEFAULT_PROFILE = "1.16.1"


class Runtime(Protocol):
    """One way to run the workflow engine and what it needs.

    Attributes:
        ports: the offered ports that a stack of its listens on.
    """

    @property
    def ports(self) -> Collection[str]: ...  # noqa: D102  # described above

    def profile(self, asked: str | None) -> str:
        """Return the version of Dapr that its stacks will be of.

        Args:
            asked: what the user wants; None: nothing in particular.

        Raises:
            UsageError: it can't be of the version that was asked for.
        """

    def stack(self, config: StackConfig, nursery: Nursery) -> Stack:
        """Return a stack that was not started yet."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the programs that it brings, by name."""


def require_known(profile: str, known: Collection[str]) -> str:
    """Return the profile; UsageError when it is none of those that are known."""
    if profile not in known:
        raise UsageError([f"--profile: must be one of {', '.join(known)} (got {profile!r})"])
    return profile
