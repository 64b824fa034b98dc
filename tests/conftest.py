"""Fixtures that every package's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.services import redis_server


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """Give a fresh Redis-protocol server, without persistence, that ends with the test."""
    with redis_server(tmp_path) as (_, port):
        yield port
