"""Calls through the SDK's client, and what is played on the stacks that tests share."""

from tests.conformance.scenarios.calls import finish, get, start, tried
from tests.conformance.scenarios.steady import continue_as_new, happy
from tests.sidecar.stack import Stack

__all__ = ["finish", "get", "play", "start", "tried"]


def play(stack: Stack) -> None:
    """Leave a workflow that has ended, and one that has gone through three generations."""
    happy(stack)
    continue_as_new(stack)
