import sys
from pathlib import Path

import pytest

from lab.errors import DaprBinariesError
from lab.runtimes.dapr_binaries import PROGRAMS, find_dapr


def place(folder: Path, *names: str, says: str = "1.16.1") -> Path:
    """Write programs that only know their version."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(f"#!{sys.executable}\nprint('{says}')\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_first_place_that_has_all_three_is_taken(tmp_path: Path) -> None:
    """--dapr-bin, DAPR_BIN_DIR, PATH, ~/.dapr/bin, in this order; a half-filled folder is none."""
    chosen, named, on_path, home = (
        place(tmp_path / name, *PROGRAMS) for name in ("chosen", "named", "path", "home/.dapr/bin")
    )
    half = place(tmp_path / "half", "daprd")
    environ = {"PATH": f"{half}:{on_path}", "HOME": str(tmp_path / "home")}
    assert find_dapr(chosen, {**environ, "DAPR_BIN_DIR": str(named)}).folder == chosen
    assert find_dapr(None, {**environ, "DAPR_BIN_DIR": str(named)}).folder == named
    assert find_dapr(None, environ).folder == on_path
    assert find_dapr(None, {**environ, "PATH": str(half)}).folder == home


@pytest.mark.parametrize("named", ["--dapr-bin", "DAPR_BIN_DIR"])
def test_a_place_that_was_named_is_not_passed_over(tmp_path: Path, named: str) -> None:
    """What lacks one program is said, with what it lacks and both ways to get all three."""
    half = place(tmp_path / "half", "daprd", "placement")
    whole = place(tmp_path / "whole", *PROGRAMS)
    environ = {"PATH": str(whole), "HOME": str(tmp_path)}
    if named == "DAPR_BIN_DIR":
        environ["DAPR_BIN_DIR"] = str(half)
    with pytest.raises(DaprBinariesError) as caught:
        find_dapr(half if named == "--dapr-bin" else None, environ)
    said = str(caught.value)
    assert f"{named}: {half} has no scheduler\n" in said
    assert "dapr init --slim" in said
    assert "--dapr-bin DIR" in said


def test_a_program_that_does_not_say_its_version_is_refused(tmp_path: Path) -> None:
    """The version is what everything is judged by; it is never guessed."""
    chosen = place(tmp_path / "chosen", *PROGRAMS, says="daprd of mine")
    with pytest.raises(DaprBinariesError, match="does not print a version: 'daprd of mine'"):
        find_dapr(chosen, {})
