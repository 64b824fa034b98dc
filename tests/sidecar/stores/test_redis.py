"""Redis over TLS, as each version of Dapr verifies it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sidecar.components.state_store import RedisServer, StateStore
from sidecar.errors import StoreError
from sidecar.profiles import profile
from sidecar.stores.opening import open_rows
from sidecar.stores.redis import RedisRows
from tests.support.tls_relay import CERTIFICATE, tls_relay


@pytest_asyncio.fixture
async def tls_port(redis_port: int) -> AsyncIterator[int]:
    """Give a Redis behind TLS whose certificate no authority has signed."""
    async with tls_relay(redis_port) as port:
        yield port


async def _error(server: RedisServer, version: str) -> str:
    """Return what a write and a read end with; nothing when they work."""
    rows = open_rows(StateStore("statestore", "state.redis", server), profile(version))
    try:
        await rows.write({"a": b"1"}, (), None)
        assert list(await rows.read(["a", "b"])) == [b"1", None]
    except StoreError as error:
        return str(error)
    finally:
        await rows.close()
    return ""


async def test_a_certificate_is_verified_from_1_18_on(tls_port: int) -> None:
    """1.16 takes any; 1.18 takes one that is signed, or any if it is told to."""
    server = RedisServer("127.0.0.1", tls_port, tls=True)
    assert await _error(server, "1.16.1") == ""
    assert "certificate verify failed" in await _error(server, "1.18.3")
    careless = RedisServer("127.0.0.1", tls_port, tls=True, skips_verification=True)
    assert await _error(careless, "1.18.3") == ""


async def test_ssl_cert_file_names_the_authority(
    tls_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for Go, and so for Dapr: an authority of one's own is put into the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert await _error(RedisServer("127.0.0.1", tls_port, tls=True), "1.18.3") == ""
    # The same address by a name that the certificate does not have.
    text = await _error(RedisServer("127.1", tls_port, tls=True), "1.18.3")
    assert "certificate is not valid for '127.1'" in text


async def test_plain_text_to_a_tls_server_is_a_store_error(tls_port: int) -> None:
    """It ends at once, not at a timeout."""
    assert (await _error(RedisServer("127.0.0.1", tls_port), "1.18.3")).startswith("state store: ")


async def test_a_password_and_a_database_are_used(redis_port: int) -> None:
    """What one database holds the other does not; a wrong password is named by the server."""
    first = RedisRows(RedisServer("127.0.0.1", redis_port))
    second = RedisRows(RedisServer("127.0.0.1", redis_port, database=3))
    await first.write({"a": b"1"}, (), None)
    assert list(await second.read(["a"])) == [None]
    await first.close()
    await second.close()
    wrong = RedisServer("127.0.0.1", redis_port, username="nobody", password="x")  # noqa: S106
    assert "invalid username-password pair" in await _error(wrong, "1.18.3")
