"""Reads the component manifests in a folder as daprd does, and says which of them are for the app.

From Dapr's source, not recorded. What can't be read is passed over; a problem of it is one line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sidecar.errors import ConfigError

_API_VERSION = "dapr.io/v1alpha1"
_KIND = "Component"
# PyYAML lets through what its own conversions raise, as at `!!bool maybe`.
_NO_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
_SUFFIXES = frozenset({".yaml", ".yml"})
_NEXT_DOCUMENT = re.compile(r"\n---[^\n]*(?:\n|$)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One component.

    Attributes:
        file: Name of its file.
        name: Its own name.
        type: Such as `state.redis`, in lower case.
        version: Of the type; empty for the first.
        namespace: Empty for any.
        scopes: The apps that may use it; empty for all.
        items: `spec.metadata`: mappings with a name and a value, envRef or secretKeyRef.
    """

    file: str
    name: str
    type: str
    version: str
    namespace: str
    scopes: tuple[str, ...]
    items: tuple[Mapping[str, Any], ...]

    @property
    def where(self) -> str:
        """Return what a message begins with."""
        return f"{self.file}: component {self.name!r}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads manifests.

    Attributes:
        app_id: For their scopes.
        namespace: Passes over manifests of other namespaces; None, as where `NAMESPACE` is not set
            for daprd, takes those of all.
    """

    app_id: str
    namespace: str | None = None


def component_files(resources_path: Path) -> list[Path]:
    """List the component files of a folder, by name."""
    if not resources_path.is_dir():
        raise ConfigError(f"SIDECAR_RESOURCES_PATH: {resources_path} is not a directory")
    return sorted(
        each
        for each in resources_path.iterdir()
        if each.suffix.lower() in _SUFFIXES and not each.is_dir()
    )


def read_manifests(
    resources_path: Path, reader: Reader
) -> tuple[Sequence[Manifest], Sequence[str]]:
    """Return the components that are for the reader, and the problems of what was passed over.

    Raises:
        ConfigError: the folder is none, or two of the components have one name.
    """
    problems: list[str] = []
    found: dict[str, Manifest] = {}
    for path in component_files(resources_path):
        for each in _components(path, problems):
            if not _is_for(each, reader):
                continue
            if each.name in found:
                first = found[each.name].file
                raise ConfigError(f"{each.where} is in {first} too; give one another name")
            found[each.name] = each
    return list(found.values()), problems


def _components(path: Path, problems: list[str]) -> Iterator[Manifest]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path.name}: not readable: {error}")
        return
    for each in _NEXT_DOCUMENT.split(text):
        try:
            document = yaml.safe_load(each)
        except _NO_YAML as error:
            problems.append(f"{path.name}: not readable as YAML: {' '.join(str(error).split())}")
            continue
        if document is None:
            continue
        if not isinstance(document, Mapping):
            problems.append(f"{path.name}: a document is not a mapping")
        elif (document.get("apiVersion"), document.get("kind")) == (_API_VERSION, _KIND):
            yield _manifest(path.name, document)


def _manifest(file: str, document: Mapping[str, Any]) -> Manifest:
    metadata, spec = _mapping(document.get("metadata")), _mapping(document.get("spec"))
    return Manifest(
        file=file,
        name=_text(metadata.get("name")),
        type=_text(spec.get("type")).lower(),
        version=_text(spec.get("version")),
        namespace=_text(metadata.get("namespace")),
        scopes=tuple(map(_text, _list(document.get("scopes")))),
        items=tuple(each for each in _list(spec.get("metadata")) if isinstance(each, Mapping)),
    )


def _is_for(manifest: Manifest, reader: Reader) -> bool:
    if reader.namespace is not None and manifest.namespace not in ("", reader.namespace):
        return False
    return not manifest.scopes or reader.app_id in manifest.scopes


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return "" if value is None else str(value)
