"""Stacks whose faults are set, one for each profile; each test has instances of its own."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.sidecar.conftest import PROFILES
from tests.sidecar.faults.switches import Switches
from tests.sidecar.stack import Stack, stack

KEPT_S = 3600


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stack]]:
    """Give a running stack of each profile."""
    directory = tmp_path_factory.mktemp("faults")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def begin(profile: str) -> Stack:
            return closing.enter_context(stack(directory / profile, profile, ttl_s=KEPT_S))

        yield dict(zip(PROFILES, pool.map(begin, PROFILES), strict=True))


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
