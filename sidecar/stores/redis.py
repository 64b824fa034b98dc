"""Keeps rows in Redis as Dapr's `state.redis` does: a hash of `data` and `version` a key.

The rows of one save are written by one script, so all or none.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from sidecar.components.state_store import RedisServer
from sidecar.errors import StoreError

_CONNECTIONS = 32
_TIMEOUT_S = 5.0
_SCAN_COUNT = 1000
_SAVE = resources.files("sidecar.stores").joinpath("save.lua").read_text(encoding="utf-8")


class RedisRows:
    """Rows in the Redis of a component; connects when it is first used.

    Args:
        server: Where it is.
        verified: Over TLS, take only a certificate that is the host's and that the system's
            authorities have signed; `SSL_CERT_FILE` names other ones.
    """

    def __init__(self, server: RedisServer, *, verified: bool = True) -> None:
        self._redis = Redis.from_pool(_pool(server, verified=verified))

    async def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Read the keys in one round trip; a write may come between two of them."""
        with _named_errors():
            if len(keys) == 1:
                only: Any = await self._redis.hget(keys[0], "data")
                return [only]
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hget(key, "data")
                found: list[bytes | None] = await pipe.execute()
                return found

    async def write(
        self, written: Mapping[str, bytes], deleted: Collection[str], ttl_s: int | None
    ) -> None:
        """Run the script."""
        keys = [*deleted, *written]
        ttl = "" if ttl_s is None else ttl_s
        with _named_errors():
            await self._redis.eval(_SAVE, len(keys), *keys, ttl, len(deleted), *written.values())

    async def keys(self, prefix: str, suffix: str) -> Sequence[str]:
        """Scan the whole database, as Dapr does."""
        pattern = f"{_escaped(prefix)}*{_escaped(suffix)}"
        with _named_errors():
            found = {key async for key in self._redis.scan_iter(pattern, count=_SCAN_COUNT)}
        return [key.decode() for key in sorted(found)]

    async def ttls_s(self, keys: Sequence[str]) -> Sequence[int | None]:
        """Ask for all in one round trip."""
        with _named_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.ttl(key)
                found: list[int] = await pipe.execute()
        return [None if each < 0 else each for each in found]

    async def ping(self) -> None:
        """Send PING."""
        with _named_errors():
            await self._redis.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _pool(server: RedisServer, *, verified: bool) -> BlockingConnectionPool:
    tls: dict[str, Any] = {}
    if server.tls:
        tls = {
            "connection_class": SSLConnection,
            "ssl_cert_reqs": "required" if verified else "none",
            "ssl_check_hostname": verified,
        }
    return BlockingConnectionPool(
        host=server.host,
        port=server.port,
        username=server.username or None,
        password=server.password or None,
        db=server.database,
        max_connections=_CONNECTIONS,
        timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        # A server that restarted has closed our idle connections: try once on a new one.
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[RedisConnectionError],
        **tls,
    )


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StoreError(f"state store: {error}") from error


def _escaped(text: str) -> str:
    return re.sub(r"([\\*?\[\]])", r"\\\1", text)
