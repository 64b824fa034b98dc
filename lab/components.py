"""Reads and copies the Dapr component files; the tracked ones are never changed."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from lab.errors import UsageError

_TTL = "ttlInSeconds"


def _documents(path: Path) -> list[dict[str, Any]]:
    try:
        loaded = list(yaml.safe_load_all(path.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError([f"{path}: cannot be read as YAML: {error}"]) from error
    return [document for document in loaded if isinstance(document, dict)]


def _is_actor_store(document: dict[str, Any]) -> bool:
    entries = _metadata(document)
    return document.get("kind") == "Component" and any(
        entry.get("name") == "actorStateStore" and str(entry.get("value")).lower() == "true"
        for entry in entries
    )


def _metadata(document: dict[str, Any]) -> list[dict[str, Any]]:
    spec = document.get("spec")
    entries = spec.get("metadata") if isinstance(spec, dict) else None
    return [entry for entry in entries or [] if isinstance(entry, dict)]


def read_ttl_s(folder: Path) -> int | None:
    """Return `ttlInSeconds` of the actor state store in a folder of components; None for none.

    Raises:
        UsageError: no actor state store is there, or its TTL is no whole number.
    """
    for path in sorted(folder.glob("*.y*ml")):
        for document in _documents(path):
            if _is_actor_store(document):
                return _ttl_of(document, path)
    raise UsageError([f'{folder}: no component with actorStateStore "true"'])


def _ttl_of(document: dict[str, Any], path: Path) -> int | None:
    for entry in _metadata(document):
        if entry.get("name") == _TTL:
            try:
                ttl_s = int(str(entry.get("value")))
            except ValueError:
                raise UsageError(
                    [f"{path}: {_TTL} must be a whole number, not {entry.get('value')!r}"]
                ) from None
            return ttl_s if ttl_s > 0 else None
    return None


def copy_with_ttl(source: Path, target: Path, ttl_s: int | None) -> None:
    """Copy a folder of components; with `ttl_s` the copy's actor state store gets that TTL."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.y*ml")):
        documents = _documents(path)
        if ttl_s is None or not any(map(_is_actor_store, documents)):
            shutil.copyfile(path, target / path.name)
            continue
        for document in documents:
            if _is_actor_store(document):
                entries = [e for e in _metadata(document) if e.get("name") != _TTL]
                document["spec"]["metadata"] = [*entries, {"name": _TTL, "value": str(ttl_s)}]
        (target / path.name).write_text(yaml.safe_dump_all(documents, sort_keys=False))
