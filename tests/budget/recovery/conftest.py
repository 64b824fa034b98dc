"""Fixtures of the recovery's tests."""

from pathlib import Path

import pytest

from tests.budget.recovery.ledgers import Past


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Give a Redis that is not running yet."""
    folder = tmp_path / "redis"
    folder.mkdir()
    return Past(folder)
