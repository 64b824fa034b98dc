"""Reads Dapr component files and picks the actor state store among them.

Understands what `state.redis` and `state.in-memory` need; anything else in the files is left alone.
Never reads a secret store.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sidecar.errors import ConfigError

REDIS = "state.redis"
IN_MEMORY = "state.in-memory"
_SUFFIXES = (".yaml", ".yml")
_TRUE = frozenset({"true", "1", "t", "y", "yes"})
_DEFAULT_PORT = 6379
_KEY_PREFIXES = "appid, name, namespace, none or a constant without '||'"


@dataclass(frozen=True, slots=True)
class RedisServer:
    """How a Redis server is reached.

    Attributes:
        host: Its host name.
        port: Its port.
        username: ACL user; empty for the default one.
        password: Empty for none.
        database: Number of the logical database.
    """

    host: str
    port: int = _DEFAULT_PORT
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0


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


def component_files(resources_path: Path) -> list[Path]:
    """List the component files of a folder, by name."""
    if not resources_path.is_dir():
        raise ConfigError(f"SIDECAR_RESOURCES_PATH: {resources_path} is not a directory")
    return sorted(each for each in resources_path.iterdir() if each.suffix in _SUFFIXES)


def load_state_store(
    resources_path: Path, app_id: str, environ: Mapping[str, str] = os.environ
) -> StateStore:
    """Return the one actor state store in the folder that is in scope for the app.

    Raises:
        ConfigError: no such component, several of them, or a bad field; the message names the file.
    """
    stores = [
        _state_store(document, f"{path.name}: component {_name(document)!r}", environ)
        for path in component_files(resources_path)
        for document in _documents(path)
        if _in_scope(document, app_id) and _is_actor_state_store(document)
    ]
    if not stores:
        raise ConfigError(
            f'{resources_path}: no component has actorStateStore "true"; workflows need one'
        )
    if len(stores) > 1:
        names = ", ".join(each.name for each in stores)
        raise ConfigError(f"{resources_path}: several components have actorStateStore: {names}")
    return stores[0]


def _documents(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{path.name}: not readable as YAML: {text}") from None
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, Mapping):
            raise ConfigError(f"{path.name}: a document is not a mapping")
        if document.get("kind") == "Component":
            yield document


def _name(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""


def _in_scope(document: Mapping[str, Any], app_id: str) -> bool:
    scopes = document.get("scopes")
    return not isinstance(scopes, list) or not scopes or app_id in scopes


def _items(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = document.get("spec")
    items = spec.get("metadata") if isinstance(spec, Mapping) else None
    return [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []


def _is_actor_state_store(document: Mapping[str, Any]) -> bool:
    return any(
        str(each.get("name", "")).lower() == "actorstatestore"
        and str(each.get("value", "")).lower() in _TRUE
        for each in _items(document)
    )


def _state_store(document: Mapping[str, Any], where: str, environ: Mapping[str, str]) -> StateStore:
    kind = document["spec"].get("type")
    values = {
        str(each["name"]).lower(): _value(each, where, environ)
        for each in _items(document)
        if each.get("name")
    }
    if kind == IN_MEMORY:
        return StateStore(_name(document), IN_MEMORY)
    if kind != REDIS:
        raise ConfigError(f"{where}: type {kind!r} is not supported; use {REDIS} or {IN_MEMORY}")
    _check_key_prefix(values, where)
    return StateStore(_name(document), REDIS, _redis(values, where), _ttl(values, where))


def _redis(values: Mapping[str, str], where: str) -> RedisServer:
    host, port = _address(values.get("redishost", ""), where)
    if values.get("enabletls", "false").lower() in _TRUE:
        raise ConfigError(f"{where}: enableTLS is not supported")
    return RedisServer(
        host=host,
        port=port,
        username=values.get("redisusername", ""),
        password=values.get("redispassword", ""),
        database=_number(values, "redisDB", where) or 0,
    )


def _value(item: Mapping[str, Any], where: str, environ: Mapping[str, str]) -> str:
    name = item["name"]
    if "secretKeyRef" in item:
        raise ConfigError(f"{where}: {name}: secretKeyRef is not supported; use value or envRef")
    if "envRef" not in item:
        value = item.get("value", "")
        return str(value).lower() if isinstance(value, bool) else str(value or "")
    variable = str(item["envRef"])
    if variable.upper().startswith("DAPR_"):
        raise ConfigError(f"{where}: {name}: envRef {variable} is refused: names in DAPR_ are")
    if variable not in environ:
        raise ConfigError(f"{where}: {name}: environment variable {variable} is not set")
    return environ[variable]


def _address(text: str, where: str) -> tuple[str, int]:
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        host, port = text.strip(), str(_DEFAULT_PORT)
    if not host or not _is_port(port):
        raise ConfigError(f"{where}: redisHost must be host:port, got {text!r}")
    return host, int(port)


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 1 << 16


def _number(
    values: Mapping[str, str], name: str, where: str, parse: Callable[[str], int] = int
) -> int | None:
    text = values.get(name.lower(), "").strip()
    if not text:
        return None
    try:
        return parse(text)
    except ValueError:
        raise ConfigError(f"{where}: {name} must be a whole number, got {text!r}") from None


def _ttl(values: Mapping[str, str], where: str) -> int | None:
    ttl_s = _number(values, "ttlInSeconds", where)
    return None if ttl_s is None else max(ttl_s, 0)


def _check_key_prefix(values: Mapping[str, str], where: str) -> None:
    # Like in Dapr it does not touch the keys of actors.
    prefix = values.get("keyprefix", "appid")
    if "||" in prefix:
        raise ConfigError(f"{where}: keyPrefix must be {_KEY_PREFIXES}, got {prefix!r}")
