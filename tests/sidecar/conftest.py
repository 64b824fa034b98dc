"""Stacks that tests share, one for each profile."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.sidecar.scenarios import play
from tests.sidecar.stack import EXAMPLES_APP, Stack, stack

PROFILES = ("1.16.1", "1.18.3")
KEPT_S = 3600


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stack]]:
    """Give stacks, still running, on which two workflows have ended."""
    directory = tmp_path_factory.mktemp("played")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def begin(profile: str) -> Stack:
            made = closing.enter_context(stack(directory / profile, profile))
            play(made)
            return made

        yield dict(zip(PROFILES, pool.map(begin, PROFILES), strict=True))


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stack]]:
    """Give a stack of each profile that works on workflows as users write them."""
    directory = tmp_path_factory.mktemp("examples")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def made(profile: str) -> Stack:
            app = (EXAMPLES_APP, "old")
            return closing.enter_context(stack(directory / profile, profile, worker_app=app))

        yield dict(zip(PROFILES, pool.map(made, PROFILES), strict=True))


@pytest.fixture(name="stack")
def example_stack(examples: Mapping[str, Stack], profile: str) -> Stack:
    """Give the stack of the examples that has the profile of the test."""
    return examples[profile]


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stack]]:
    """Give a running stack of each profile, for tests with instances of their own."""
    directory = tmp_path_factory.mktemp("stacks")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def begin(profile: str) -> Stack:
            return closing.enter_context(stack(directory / profile, profile, ttl_s=KEPT_S))

        yield dict(zip(PROFILES, pool.map(begin, PROFILES), strict=True))
