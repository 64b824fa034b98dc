import os
import sys
from pathlib import Path

import pytest

from lab.doctor import Finding, examine
from lab.paths import ROOT

STANDINS = ROOT / "tests" / "standins"


def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_each_runtime_that_is_there_is_said_with_the_command_that_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs, versions and places are told, and the next command of each runtime."""
    monkeypatch.setenv("STANDIN_PYTHON", sys.executable)
    monkeypatch.setenv("STANDIN_DAPR_VERSION", "1.18.3")
    monkeypatch.setenv("STANDIN_DOCKER_DIR", str(tmp_path))
    folders = [STANDINS / "bin", STANDINS / "docker"]
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    found = findings()
    assert found["runtime embedded"].next_step == "./runaway reproduce"
    dapr, compose = found["runtime dapr"], found["runtime compose"]
    assert dapr.detail == f"ready: daprd, placement, scheduler 1.18.3 in {STANDINS / 'bin'}"
    assert dapr.next_step == "./runaway reproduce --runtime dapr"
    assert (found["docker engine"].detail, found["docker compose"].detail) == ("28.2.2", "2.29.7")
    assert compose.next_step == "./runaway reproduce --runtime compose"


def test_a_runtime_that_is_not_there_is_a_note_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Dapr and Docker nothing that is needed is missing, and both ways on are told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = findings()
    assert {each.level for each in found.values()} <= {"ok", "note"}
    assert "dapr init --slim" in found["runtime dapr"].next_step
    assert "install Docker" in found["runtime compose"].next_step


def test_what_compose_lacks_is_told_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is not reached, and images that are not there, have steps of their own."""
    monkeypatch.setenv("STANDIN_PYTHON", sys.executable)
    monkeypatch.setenv("STANDIN_DOCKER_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{STANDINS / 'docker'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "no-engine").touch()
    assert "start it" in findings()["docker engine"].detail
    (tmp_path / "no-engine").unlink()
    (tmp_path / "no-images").touch()
    lacking = findings()["runtime compose"]
    assert "daprio/daprd:1.16.1" in lacking.detail
    assert "docker compose pull" in lacking.next_step
