from pathlib import Path

import pytest

from lab.errors import CannotRunError
from lab.paths import usable_runs_dir


def test_the_folder_of_runs_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not there yet is made, and nothing is left in it."""
    monkeypatch.setenv("RUNAWAY_RUNS_DIR", str(tmp_path / "new" / "runs"))
    assert usable_runs_dir() == tmp_path / "new" / "runs"
    assert list(usable_runs_dir().iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the folder and the variable that changes it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNAWAY_RUNS_DIR", str(tmp_path / "file" / "runs"))
    with pytest.raises(CannotRunError) as caught:
        usable_runs_dir()
    assert str(tmp_path / "file" / "runs") in str(caught.value)
    assert "RUNAWAY_RUNS_DIR" in str(caught.value)
