"""What reproduce_issue.sh refuses; run.sh lets it reproduce on a real engine."""

import shutil
import subprocess
from pathlib import Path

from tests.support.services import ROOT


def _refused(path: Path, **settings: str) -> str:
    for tool in ("sh", "dirname", "date"):
        (path / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [ROOT / "reproduce_issue.sh"],
        env={"PATH": str(path), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    return done.stderr


def test_a_machine_without_docker_is_told_what_is_missing(tmp_path: Path) -> None:
    """One line, exit 2."""
    (line,) = _refused(tmp_path).splitlines()
    assert line.startswith("UNKNOWN: ")
    assert "Compose v2" in line


def test_a_bad_window_is_named_with_its_value(tmp_path: Path) -> None:
    """It must be whole seconds, and long enough to have an end of its own."""
    assert "OBSERVE_S=2m" in _refused(tmp_path, OBSERVE_S="2m")


def test_a_window_too_short_to_tell_is_refused(tmp_path: Path) -> None:
    """What still runs in the last ten seconds must be told from what ran at once."""
    assert "OBSERVE_S=5: give at least 20" in _refused(tmp_path, OBSERVE_S="5")
