"""Picks the actor state store among the component manifests of a folder.

Understands what `state.redis` and `state.in-memory` need; anything else in the files is left alone.
Never reads a secret store.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from sidecar.components.fields import Fields, is_actor_state_store
from sidecar.components.manifests import Manifest, Reader, read_manifests
from sidecar.errors import ConfigError

_LOG = structlog.get_logger(scope="dapr.runtime.processor")
REDIS = "state.redis"
IN_MEMORY = "state.in-memory"
_INITIAL_VERSIONS = frozenset({"", "v0", "v1"})
_DEFAULT_PORT = 6379
_LAST_PORT = (1 << 16) - 1
_KEY_PREFIXES = "appid, name, namespace, none or a constant without '||'"
_UNSUPPORTED_FLAGS = {
    "failover": "Redis Sentinel is not supported; give redisHost the master, and leave it out",
    "useEntraID": "Entra ID is not supported; use redisPassword",
    "useAzureAD": "Entra ID is not supported; use redisPassword",
    "useOIDC": "OIDC is not supported; use redisPassword",
}
_UNSUPPORTED_TEXTS = ("clientCert", "clientKey")


@dataclass(frozen=True, slots=True)
class RedisServer:
    """How a Redis server is reached.

    Attributes:
        host: Its host name.
        port: Its port.
        username: ACL user; empty for the default one.
        password: Empty for none.
        database: Number of the logical database.
        tls: Whether the connection is encrypted.
        skips_verification: Whether whatever certificate the server shows is taken.
    """

    host: str
    port: int = _DEFAULT_PORT
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: bool = False
    skips_verification: bool = False


@dataclass(frozen=True, slots=True)
class StateStore:
    """The component that keeps workflow state.

    Attributes:
        name: The component's name.
        type: `state.redis` or `state.in-memory`.
        redis: The server; None in memory.
        ttl_s: Seconds after which a row expires that is not written again; 0 for never; None, not
            given: a row keeps the expiry that it has.
    """

    name: str
    type: str
    redis: RedisServer | None = None
    ttl_s: int | None = None

    @property
    def connection(self) -> tuple[str, RedisServer | None]:
        """Return what can't change while the sidecar runs."""
        return (self.type, self.redis)


def load_state_store(
    resources_path: Path, reader: Reader, environ: Mapping[str, str] = os.environ
) -> StateStore:
    """Return the one actor state store in the folder that is for the reader.

    Raises:
        ConfigError: no such component, several of them, or a bad field; the message names the file.
    """
    manifests, problems = read_manifests(resources_path, reader)
    stores = [each for each in manifests if is_actor_state_store(each)]
    if not stores:
        text = f'{resources_path}: no component has actorStateStore "true"; workflows need one'
        raise ConfigError("; ".join([text, *problems]))
    if len(stores) > 1:
        names = ", ".join(each.name for each in stores)
        raise ConfigError(f"{resources_path}: several components have actorStateStore: {names}")
    store = _state_store(stores[0], Fields(stores[0], environ))
    for each in problems:
        _LOG.warning("a component file is passed over", problem=each)
    return store


def _state_store(manifest: Manifest, fields: Fields) -> StateStore:
    if manifest.version.lower() not in _INITIAL_VERSIONS:
        raise fields.error("version", f"{manifest.version!r} is unknown; use v1")
    if "||" in fields.text("keyPrefix"):
        # Other prefixes do, and like in Dapr none of them touches the keys of actors.
        prefix = fields.text("keyPrefix")
        raise fields.error("keyPrefix", f"must be {_KEY_PREFIXES}, got {prefix!r}", separator=" ")
    if manifest.type == REDIS:
        ttl_s = fields.number("ttlInSeconds")
        ttl_s = None if ttl_s is None else max(ttl_s, 0)
        return StateStore(manifest.name, REDIS, _redis(fields), ttl_s)
    if manifest.type == IN_MEMORY:
        if fields.text("ttlInSeconds"):
            _LOG.warning("state.in-memory takes no ttlInSeconds, in Dapr and here: nothing expires")
        return StateStore(manifest.name, IN_MEMORY)
    raise fields.error(
        "type", f"{manifest.type!r} is not supported; use {REDIS} or {IN_MEMORY}", separator=" "
    )


def _redis(fields: Fields) -> RedisServer:
    for flag, text in _UNSUPPORTED_FLAGS.items():
        if fields.flag(flag):
            raise fields.error(flag, text)
    if fields.text("redisType") == "cluster":
        raise fields.error("redisType", "a Redis cluster is not supported; use a single node")
    for name in _UNSUPPORTED_TEXTS:
        if fields.text(name):
            raise fields.error(name, "client certificates are not supported; use redisPassword")
    host, port = _address(fields)
    database = fields.number("redisDB") or 0
    if database < 0:
        raise fields.error("redisDB", f"must be 0 or more, got {database}", separator=" ")
    return RedisServer(
        host=host,
        port=port,
        username=fields.text("redisUsername"),
        password=fields.text("redisPassword"),
        database=database,
        tls=fields.flag("enableTLS"),
        skips_verification=fields.flag("insecureSkipTLSVerify"),
    )


def _address(fields: Fields) -> tuple[str, int]:
    text = fields.required("redisHost", "host:port")
    given = fields.number("redisPort") or 0
    host, port = _split(text)
    if not host or "," in host or (port and not _is_port(port)):
        raise fields.error("redisHost", f"must be host:port, got {text!r}", separator=" ")
    if not 0 <= given <= _LAST_PORT:
        raise fields.error("redisPort", f"must be a port, got {given}", separator=" ")
    if port and given and int(port) != given:
        raise fields.error("redisPort", f"is {given}, but redisHost is {text!r}", separator=" ")
    return host, int(port or 0) or given or _DEFAULT_PORT


def _is_port(text: str) -> bool:
    return text.isdecimal() and int(text) <= _LAST_PORT


def _split(text: str) -> tuple[str, str]:
    """Return host and port; a bare IPv6 address has no port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = text.partition(":")
    return (text, "") if ":" in port else (host, port)
