"""Stacks on which the recorded scenarios have been run, one for each profile."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.sidecar.scenarios import run_all
from tests.sidecar.stack import Stack, stack

PROFILES = ("1.16.1", "1.18.3")


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Stack]]:
    """Give the stacks, still running, after all scenarios have been played on them at once."""
    directory = tmp_path_factory.mktemp("played")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def play(profile: str) -> Stack:
            made = closing.enter_context(stack(directory / profile, profile))
            run_all(made)
            return made

        yield dict(zip(PROFILES, pool.map(play, PROFILES), strict=True))
