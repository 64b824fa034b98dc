"""Errors of the faults; all are the caller's to mend.

FaultError
├── UnknownFaultError   no such kind
└── BadFaultError       bad attributes
"""

from collections.abc import Iterable
from typing import Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails


class FaultError(Exception):
    """Base class; the message is for whoever sets the fault."""


class UnknownFaultError(FaultError):
    """There is no such kind of fault; the message lists those that there are."""

    def __init__(self, kind: str, known: Iterable[str]) -> None:
        super().__init__(f"no fault {kind!r}; there are: {', '.join(known)}")


class BadFaultError(FaultError):
    """Attributes are bad; the message names each."""

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        """Return the error that names all that pydantic has found."""
        return cls(every_problem(error))


def every_problem(error: ValidationError) -> str:
    """Return all that pydantic has found, each with the name of its field."""
    return "; ".join(map(_problem, error.errors(include_url=False, include_context=False)))


def _problem(problem: ErrorDetails) -> str:
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else problem["msg"]
