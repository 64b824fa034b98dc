"""One scheduler for the tests that leave its jobs as they found them."""

from collections.abc import Iterator

import pytest

from tests.sidecar.scheduler.harness import Scheduler, scheduler


@pytest.fixture(scope="package")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """Give a scheduler like 1.16.1."""
    with scheduler(tmp_path_factory.mktemp("old"), "1.16.1") as running:
        yield running


@pytest.fixture(scope="package")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """Give a scheduler like 1.18.3."""
    with scheduler(tmp_path_factory.mktemp("new"), "1.18.3") as running:
        yield running
