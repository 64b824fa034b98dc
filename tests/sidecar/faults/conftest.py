"""Stacks whose faults are set, one for each profile; each test has instances of its own."""

from collections.abc import Iterator, Mapping

import pytest

from tests.sidecar.conftest import PROFILES
from tests.sidecar.faults.switches import Switches
from tests.sidecar.stack import Stack


@pytest.fixture(params=PROFILES)
def running(request: pytest.FixtureRequest, stacks: Mapping[str, Stack]) -> Stack:
    """Give a stack, of each profile in turn."""
    return stacks[request.param]


@pytest.fixture
def switches(running: Stack) -> Iterator[Switches]:
    """Give the switches of its faults; all are lifted in the end."""
    made = Switches(running)
    yield made
    made.lift()


@pytest.fixture
def old(stacks: Mapping[str, Stack]) -> Stack:
    """Give the stack of the oldest profile."""
    return stacks[PROFILES[0]]


@pytest.fixture
def old_switches(old: Stack) -> Iterator[Switches]:
    """Give the switches of its faults; all are lifted in the end."""
    made = Switches(old)
    yield made
    made.lift()
