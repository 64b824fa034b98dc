import json
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NoRunError
from lab.kept_run import find_run, read_run
from lab.run_directory import RunDirectory
from lab.verdict import ExitCode, failed, judge
from tests.lab.run_builder import three_arms
from tests.lab.test_report import HEAD
from tests.lab.test_run_directory import NOON


def keep(tmp_path: Path, status: str = "complete") -> Path:
    """Keep a run as `reproduce` does."""
    run = RunDirectory.create(tmp_path, "built", NOON)
    arms = three_arms(2)
    scenario = {**arms[0].scenario.model_dump(mode="json"), "arms": ["off", "cap", "full"]}
    head = {**HEAD, "scenario": scenario}
    run.begin(arms[0].scenario, head)
    if status == "complete":
        for arm in arms:
            run.arm(arm.arm)
        run.keep_evidence(arms)
        run.end(head, judge(arms), status)
    elif status != "running":
        run.end(head, failed("it was stopped", ExitCode.INTERRUPTED), status)
    run.make_latest()
    return run.path


def change(path: Path, edit: dict[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **edit}))


def test_a_kept_run_is_judged_as_it_was(tmp_path: Path) -> None:
    """The verdict from the kept evidence is that of the run."""
    run = read_run(keep(tmp_path))
    assert run.verdict == judge(three_arms(2))
    assert run.first_verdict == run.verdict.outcome == "REPRODUCED"


def test_evidence_of_an_older_run_can_be_read(tmp_path: Path) -> None:
    """Fields that came later are absent there, and what was dropped since does no harm."""
    path = keep(tmp_path)
    for arm in ("off", "cap", "full"):
        file = path / "arms" / arm / "evidence.json"
        document = json.loads(file.read_text())
        for name in ("controls", "instances", "jobs_left", "missing"):
            del document[name]
        document["dropped_since"] = 1
        file.write_text(json.dumps(document))
    assert len(read_run(path).verdict.arms) == 3


def test_a_run_that_is_judged_otherwise_says_so(tmp_path: Path) -> None:
    """The same word of the verdict is not enough: the exit code is compared too."""
    path = keep(tmp_path)
    assert not read_run(path).is_judged_otherwise
    change(path / "run.json", {"exit_code": 1})
    assert read_run(path).is_judged_otherwise


def test_a_run_is_found_by_path_by_name_and_as_the_latest(tmp_path: Path) -> None:
    """All three lead to the same folder."""
    path = keep(tmp_path)
    assert find_run(tmp_path, None) == path
    assert find_run(tmp_path, path.name) == path
    assert find_run(Path("elsewhere"), str(path)) == path


def test_no_run_at_all_says_how_to_make_one(tmp_path: Path) -> None:
    """An empty folder of runs names the command; an unknown run is named."""
    with pytest.raises(NoRunError, match=r"\./runaway reproduce"):
        find_run(tmp_path, None)
    with pytest.raises(NoRunError, match="no run 'nine'"):
        find_run(tmp_path, "nine")


@pytest.mark.parametrize(
    ("status", "named"),
    [("running", "has not ended, or was killed"), ("interrupted", "it was stopped")],
)
def test_a_run_without_an_end_is_no_report(tmp_path: Path, status: str, named: str) -> None:
    """It is said what became of it, and how to repeat it."""
    with pytest.raises(NoRunError, match=named) as raised:
        read_run(keep(tmp_path, status))
    assert "./runaway reproduce --ttl 5" in str(raised.value)


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    """A missing, torn or foreign run.json is one line that names it."""
    with pytest.raises(NoRunError, match=r"has no run\.json"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"run": "x"')
    with pytest.raises(NoRunError, match="is no JSON"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(NoRunError, match="is not what a run writes"):
        read_run(tmp_path)


def test_damaged_evidence_is_named(tmp_path: Path) -> None:
    """Evidence that is gone or has a bad field is one line that names file and field."""
    path = keep(tmp_path)
    file = path / "arms" / "cap" / "evidence.json"
    change(file, {"ttl_s": "soon", "calls": 3})
    with pytest.raises(NoRunError, match=r"evidence\.json is not .*: ttl_s: .*, and 1 more"):
        read_run(path)
    file.write_bytes((path / "arms" / "off" / "evidence.json").read_bytes())
    with pytest.raises(NoRunError, match="is the evidence of arm off, not of arm cap"):
        read_run(path)
    file.unlink()
    with pytest.raises(NoRunError, match="the evidence of arm cap is missing"):
        read_run(path)
