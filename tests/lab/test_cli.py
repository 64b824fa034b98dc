import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import ROOT
from tests.lab.test_kept_run import keep


def runaway(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=ROOT,
        env={**os.environ, "RUNAWAY_RUNS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("no-such-verb",), ["no-such-verb"]),
        (("reproduce", "--no-such-option", "1"), ["--no-such-option"]),
        (("reproduce", "--ttl", "soon", "--workflows", "0"), ["--ttl", "--workflows"]),
        (("up", "--cap", "x", "--app-port", "0"), ["--cap", "--app-port"]),
        (("disrupt", "meteor"), ["meteor", "sidecar-kill"]),
        (("disrupt",), ["KIND"]),
    ],
)
def test_bad_usage_is_exit_2_with_plain_lines(
    tmp_path: Path, arguments: tuple[str, ...], named: list[str]
) -> None:
    """Every bad value is named on standard error, without a traceback, and nothing is run."""
    done = runaway(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(name in done.stderr for name in named)
    assert all(line.startswith("runaway: ") for line in done.stderr.splitlines())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["reproduce", "up"])
def test_runs_that_cannot_be_kept_are_said_in_one_line(tmp_path: Path, verb: str) -> None:
    """A folder of runs that can't be made is exit code 2 with the mend."""
    (tmp_path / "file").write_text("")
    done = runaway(tmp_path / "file", verb)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"runaway: no runs can be kept in {tmp_path / 'file'} (")


def test_what_was_not_foreseen_is_never_taken_for_a_verdict() -> None:
    """Output that can't be written is exit code 2 with one line, not Python's own 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lab", "--help"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("runaway: unexpected OSError: ")


def test_down_without_a_stack_is_no_error(tmp_path: Path) -> None:
    """`down` is idempotent, and says in JSON what it found."""
    done = runaway(tmp_path, "down", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"stopped": False, "leftovers": [], "project": None}


def test_report_renders_a_kept_run_again(tmp_path: Path) -> None:
    """`report` writes both pages of the latest run, and says where they are."""
    kept = keep(tmp_path)
    done = runaway(tmp_path, "report", "--json")
    assert done.returncode == 0
    said = json.loads(done.stdout)
    assert said["verdict"] == "REPRODUCED"
    assert Path(said["report"]) == kept / "report.html"
    assert "REPRODUCED" in Path(said["report"]).read_text()
    assert Path(said["summary"]).read_text().startswith("## REPRODUCED")
    assert "report: " in runaway(tmp_path, "report", kept.name).stdout


def test_report_says_where_it_cannot_write(tmp_path: Path) -> None:
    """A page whose place is taken by a folder is exit code 2 with one line."""
    kept = keep(tmp_path)
    (kept / "report.html").mkdir()
    done = runaway(tmp_path, "report")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line == f"runaway: the pages of a run can't be written to {kept}: Is a directory"


def test_report_without_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    """`report` can't render what is not there: exit code 2, and the next command."""
    done = runaway(tmp_path, "report")
    assert (done.returncode, done.stdout) == (2, "")
    assert "./runaway reproduce" in done.stderr


def test_status_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    """`status` can't run without a stack: exit code 2, and the next command."""
    done = runaway(tmp_path, "status")
    assert (done.returncode, done.stdout) == (2, "")
    assert "runaway up" in done.stderr


def test_doctor_finds_what_this_environment_has(tmp_path: Path) -> None:
    """The installed SDK and a Redis binary are found; nothing that is needed is missing."""
    done = runaway(tmp_path, "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 0
    assert findings["dapr workflow SDK"]["detail"] == "1.18.3"
    assert findings["redis"]["level"] == "ok"
    assert findings["state store"]["detail"] == "ttlInSeconds 5"


def test_test_passes_its_arguments_on_and_ends_with_pytests_summary(tmp_path: Path) -> None:
    """`test` is pytest: its options, its last line, its exit code."""
    done = runaway(tmp_path, "test", "tests/lab/test_money.py", "-q", "-k", "rates", "--no-header")
    assert done.returncode == 0
    assert "1 passed" in done.stdout.splitlines()[-1]
