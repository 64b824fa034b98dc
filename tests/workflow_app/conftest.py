"""One house for all tests of the app that need an engine."""

from collections.abc import Iterator

import pytest

from tests.workflow_app.stack import Stack, stack


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a running house; tests tell their instances apart by id."""
    with stack(tmp_path_factory.mktemp("house"), WORKFLOW_APP_POLL_INTERVAL_S="0.1") as made:
        yield made
