"""The launcher's laws, as far as they hold before anything is installed."""

import shutil
import subprocess
from pathlib import Path

from tests.support.services import ROOT


def _launched(program: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), "doctor"],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _checkout(directory: Path) -> Path:
    (directory / "requirements").mkdir(parents=True)
    for name in ("requirements/use.txt", "requirements/uv.txt", "pyproject.toml", "runaway"):
        shutil.copy(ROOT / name, directory / name)
    return directory


def test_a_copy_outside_a_checkout_touches_nothing(tmp_path: Path) -> None:
    """Where there are no locks there is nothing to install, whatever .venv lies there."""
    precious = tmp_path / ".venv" / "precious"
    precious.parent.mkdir()
    precious.touch()
    shutil.copy(ROOT / "runaway", tmp_path)
    done = _launched(tmp_path / "runaway", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"runaway: {tmp_path} is no checkout of runaway: run this file where it was cloned, "
        "or link to it\n"
    )
    assert precious.exists()


def test_an_environment_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """A .venv that the launcher did not make is never deleted."""
    checkout = _checkout(tmp_path / "checkout")
    precious = checkout / ".venv" / "precious"
    precious.parent.mkdir()
    precious.touch()
    done = _launched(checkout / "runaway", tmp_path)
    assert done.returncode == 2
    assert f"{checkout}/.venv was not made by runaway" in done.stderr
    assert precious.exists()


def test_a_link_leads_to_its_checkout(tmp_path: Path) -> None:
    """Through a link, and a link to it, the checkout's own .venv is meant, not one beside them."""
    checkout = _checkout(tmp_path / "checkout")
    (checkout / ".venv").mkdir()
    elsewhere = tmp_path / "other place"
    elsewhere.mkdir()
    (elsewhere / "first").symlink_to("../checkout/runaway")
    (elsewhere / "second").symlink_to(elsewhere / "first")
    done = _launched(elsewhere / "second", tmp_path)
    assert f"{checkout}/.venv was not made by runaway" in done.stderr
