"""Reads a scenario's YAML: a small regular file, with each field said once."""

import re
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from lab.errors import UsageError

MAX_BYTES: Final = 64 << 10
_PRESETS = Path(__file__).parent / "scenarios"


def preset_names() -> list[str]:
    """Return the names of the scenarios that come with the lab."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))


def read_scenario(source: str) -> dict[str, Any]:
    """Return the fields of a preset or a file, with a name made of the file's where it has none.

    Raises:
        UsageError: There is no such file, or it can't be read as a mapping in YAML.
    """
    path = _PRESETS / f"{source}.yaml" if source in preset_names() else Path(source)
    try:
        document = yaml.load(_text(path, source), _Loader)  # noqa: S506  # a SafeLoader
    except (ValueError, yaml.YAMLError) as error:
        # A decoding error is a ValueError too.
        said = " ".join(str(error).split())
        raise UsageError([f"scenario {source}: cannot be read as YAML: {said}"]) from None
    except RecursionError:
        raise UsageError([f"scenario {source}: nested too deeply"]) from None
    if not isinstance(document, dict):
        raise UsageError([f"scenario {source}: must be a mapping of fields to values"])
    fallback = re.sub(r"[^a-z0-9-]", "-", path.stem.lower()).strip("-")[:40] or "custom"
    return {"name": fallback, **document}


def _text(path: Path, source: str) -> str:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UsageError([f"scenario {source!r}: is no regular file"])
        if found.st_size > MAX_BYTES:
            raise UsageError([f"scenario {source}: is larger than {MAX_BYTES} bytes"])
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(preset_names())
        raise UsageError([f"scenario {source!r}: no such file, and no preset ({known})"]) from None
    except OSError as error:
        raise UsageError([f"scenario {source}: cannot be read: {error.strerror}"]) from None


class _Loader(yaml.SafeLoader):
    """Refuses a field that is given twice, of which YAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  # the library's signature
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
