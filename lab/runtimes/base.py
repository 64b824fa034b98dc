"""What a runtime tells the stack: which services to run, and what it calls itself."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lab.services import ServiceSpec
from lab.stack_config import StackConfig


class Runtime(Protocol):
    """One way to run the workflow engine and what it needs."""

    def services(self, config: StackConfig) -> Sequence[ServiceSpec]:
        """Return the services in the order in which they are started and shown."""

    def label(self, config: StackConfig) -> str:
        """Return what runs, as the engine itself reports it; never guessed."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the programs that it brings, by name."""
