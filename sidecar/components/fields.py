"""The fields of a component as text, and what Dapr makes of the text.

From Dapr's source, not recorded: names whatever their case, numbers and booleans as Go reads them.
"""

import re
from collections.abc import Mapping
from typing import Any

from sidecar.components.manifests import Manifest
from sidecar.errors import ConfigError

_YES = frozenset({"y", "yes", "true", "t", "on", "1"})
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_NUMBER = re.compile(r"[+-]?[0-9]+")
_MOST = (1 << 63) - 1


class Fields:
    """The fields of one component.

    Raises:
        ConfigError: a field asks for a secret store, or for a variable that Dapr keeps to itself.
    """

    def __init__(self, manifest: Manifest, environ: Mapping[str, str]) -> None:
        self.where = manifest.where
        self._texts: dict[str, str] = {}
        self._unset: dict[str, str] = {}
        for each in manifest.items:
            self._add(each, environ)

    def text(self, name: str) -> str:
        """Return a field; empty where it is not given."""
        return self._texts.get(name.lower(), "")

    def required(self, name: str, form: str) -> str:
        """Return a field that can't be empty; the error names the variable that would fill it."""
        if text := self.text(name).strip():
            return text
        if variable := self._unset.get(name.lower()):
            raise self.error(name, f"environment variable {variable} is not set; it must be {form}")
        raise self.error(name, f"must be {form}, got ''", separator=" ")

    def number(self, name: str) -> int | None:
        """Return a whole number; None where the field is not given."""
        text = self._texts.get(name.lower())
        if text is None:
            return None
        if _NUMBER.fullmatch(text) is None or abs(int(text)) > _MOST:
            raise self.error(name, f"must be a whole number, got {text!r}", separator=" ")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return a setting that is on or off; off where the field is not given."""
        text = self._texts.get(name.lower(), "false")
        if text not in _TRUE | _FALSE:
            raise self.error(name, f'must be "true" or "false", got {text!r}', separator=" ")
        return text in _TRUE

    def error(self, name: str, problem: str, separator: str = ": ") -> ConfigError:
        """Return the error that a field is unusable."""
        return ConfigError(f"{self.where}: {name}{separator}{problem}")

    def _add(self, item: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        name, value = str(item.get("name") or ""), _text(item.get("value"))
        key, variable = name.lower(), str(item.get("envRef") or "")
        if variable and item.get("value") is None:
            if _is_reserved(variable):
                raise self.error(name, f"envRef {variable} is refused; Dapr allows no such name")
            value = environ.get(variable, "")
            if not value:
                self._unset[key] = variable
        elif _names_a_secret(item.get("secretKeyRef")):
            raise self.error(name, "secretKeyRef is not supported; use value or envRef")
        self._texts[key] = value


def is_actor_state_store(manifest: Manifest) -> bool:
    """Tell whether `actorStateStore` is one of Dapr's words for yes."""
    return any(
        str(each.get("name", "")).lower() == "actorstatestore"
        and _text(each.get("value")).strip().lower() in _YES
        for each in manifest.items
    )


def _text(value: object) -> str:
    """Return a YAML value as Dapr passes it on: as JSON would write it, a text without quotes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _names_a_secret(reference: object) -> bool:
    return isinstance(reference, Mapping) and bool(reference.get("name"))


def _is_reserved(variable: str) -> bool:
    upper = variable.upper()
    return upper == "APP_API_TOKEN" or upper.startswith("DAPR_") or " " in variable
