"""Fixtures that every package's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.services import redis_server

# How long an example takes says something about the machine, not about what it tries.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """Give a fresh Redis-protocol server, without persistence, that ends with the test."""
    with redis_server(tmp_path) as (_, port):
        yield port
