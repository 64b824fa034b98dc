"""Finds Dapr's own programs: a folder that has all three, and which version it is."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import DaprBinariesError

PROGRAMS = ("daprd", "placement", "scheduler")
_VERSION_TIMEOUT_S = 30
_VERSION = re.compile(r"v?\d+\.\d+\.\d+(?:[-+.][\w.+-]*)?$")
_HOW_TO_GET_THEM = (
    "Either run `dapr init --slim`, which leaves them in ~/.dapr/bin, or unpack the release "
    "archives of daprd, placement and scheduler (github.com/dapr/dapr/releases) into one DIR and "
    "give it with --dapr-bin DIR."
)


@dataclass(frozen=True, slots=True)
class DaprBinaries:
    """The three programs.

    Attributes:
        version: as `daprd --version` prints it.
    """

    folder: Path
    version: str

    @property
    def daprd(self) -> Path:
        """Return the sidecar."""
        return self.folder / "daprd"

    @property
    def placement(self) -> Path:
        """Return the placement service."""
        return self.folder / "placement"

    @property
    def scheduler(self) -> Path:
        """Return the scheduler service."""
        return self.folder / "scheduler"

    @property
    def label(self) -> str:
        """Return version and place, as the report shows them."""
        return f"{self.version} ({self.daprd})"


def find_dapr(chosen: Path | None, environ: Mapping[str, str] = os.environ) -> DaprBinaries:
    """Return the programs of `chosen`, else DAPR_BIN_DIR, else PATH, else ~/.dapr/bin.

    Raises:
        DaprBinariesError: naming what was looked at, and both ways to get them.
    """
    tried: list[str] = []
    for folder, origin in _places(chosen, environ):
        missing = [name for name in PROGRAMS if shutil.which(name, path=str(folder)) is None]
        if not missing:
            return DaprBinaries(folder, _version_of(folder / "daprd"))
        tried.append(f"{origin}: {folder} has no {', no '.join(missing)}")
    looked = "\n".join(tried) or "no folder on PATH has one of them"
    raise DaprBinariesError(
        f"Dapr's daprd, placement and scheduler were not found together.\n{looked}\n"
        f"{_HOW_TO_GET_THEM}"
    )


def _places(chosen: Path | None, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Yield the folders to look at; one that was named on purpose is the only one."""
    named = environ.get("DAPR_BIN_DIR")
    if chosen is not None:
        yield _absolute(chosen), "--dapr-bin"
    elif named:
        yield _absolute(Path(named)), "DAPR_BIN_DIR"
    else:
        for entry in environ.get("PATH", os.defpath).split(os.pathsep):
            if entry and any(shutil.which(name, path=entry) for name in PROGRAMS):
                yield _absolute(Path(entry)), "PATH"
        yield Path(environ.get("HOME") or Path.home()) / ".dapr" / "bin", "dapr init"


def _absolute(folder: Path) -> Path:
    # Services are started from the project's root, not from where the user is.
    return folder.expanduser().absolute()


def _version_of(daprd: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  # the program was found by its fixed name
            [str(daprd), "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DaprBinariesError(f"{daprd} --version: {error}") from error
    words = answer.stdout.split()
    if answer.returncode != 0 or len(words) != 1 or not _VERSION.match(words[0]):
        said = " ".join((answer.stdout + answer.stderr).split())[:200]
        raise DaprBinariesError(f"{daprd} --version does not print a version: {said!r}")
    return words[0].removeprefix("v")
