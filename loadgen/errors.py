"""What can go wrong before a run.

LoadgenError
└── OptionsError    the caller: options are bad (exit 2)
"""

from collections.abc import Sequence


class LoadgenError(Exception):
    """Base class of all errors of this package."""


class OptionsError(LoadgenError):
    """Bad options; `problems` has one plain line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
