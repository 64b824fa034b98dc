"""What reproduce_issue.sh refuses, deletes and counts; run.sh lets it work on a real engine."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.compose.engine_standin import PARALLEL, Engine, serving
from tests.support.services import ROOT

CLIENT = Path(__file__).with_name("client")


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "reproduce_issue.sh"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )


def _refused(path: Path, **settings: str) -> str:
    for tool in ("sh", "dirname", "date"):
        (path / tool).symlink_to(str(shutil.which(tool)))
    done = _run({"PATH": str(path), **settings})
    assert done.returncode == 2
    assert done.stdout == ""
    return done.stderr


def _run_on(engine: Engine, **settings: str) -> subprocess.CompletedProcess[str]:
    path = f"{CLIENT}{os.pathsep}{os.environ['PATH']}"
    with serving(engine):
        return _run({"PATH": path, "STANDIN_ENGINE": engine.url, **settings})


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


def test_calls_in_flight_at_the_loss_do_not_count_as_executed_again() -> None:
    """They end after it when a call takes long; a fixed version then executes each once more."""
    done = _run_on(Engine(reruns=1))
    assert done.returncode == 1, done.stderr
    said = f"NOT REPRODUCED on stand-in: {PARALLEL} activities ran again, {PARALLEL} executions"
    assert said in done.stdout
    assert "(1 to 1 each), 0 in the last 10 s" in done.stdout


def test_executions_that_go_on_to_the_end_of_the_window_are_a_runaway() -> None:
    """Each look finds the next; the last of them is one of the last seconds."""
    done = _run_on(Engine(reruns=1000))
    assert done.returncode == 0, done.stderr
    assert f"REPRODUCED on stand-in: {PARALLEL} activities ran again" in done.stdout
    assert f"(3 to 3 each), {PARALLEL} in the last 10 s" in done.stdout


def test_executions_that_end_before_the_last_seconds_are_no_verdict() -> None:
    """More than once, but not without end: exit 2, with the numbers."""
    done = _run_on(Engine(reruns=2))
    assert done.returncode == 2
    assert "UNKNOWN: neither once nor without end on stand-in" in done.stderr
    assert "(2 to 2 each), 0 in the last 10 s" in done.stderr


def test_the_stack_is_a_project_of_its_own_and_all_of_it_is_deleted() -> None:
    """Each run has another one, never the file's own; the first line says how to look at it."""
    named = [_project_of_a_run() for _ in range(2)]
    assert named[0] != named[1]


def _project_of_a_run() -> str:
    engine = Engine()
    first_line = _run_on(engine).stdout.splitlines()[0]
    ((project, last),) = {each for each in engine.asked if each[1].startswith("compose down")}
    assert last == "compose down --volumes --remove-orphans"
    assert re.fullmatch(r"runaway-reproduce-\d+", project)
    assert {each for each, command in engine.asked if not command.endswith("version")} == {project}
    assert first_line.endswith(f"export COMPOSE_PROJECT_NAME={project}")
    return project


def test_a_project_with_a_volume_is_refused_and_left_alone() -> None:
    """A ledger that `docker compose down` kept is neither worked on nor deleted."""
    engine = Engine(volumes="runaway_budget\n")
    done = _run_on(engine, COMPOSE_PROJECT_NAME="runaway")
    assert done.returncode == 2
    assert "UNKNOWN: project runaway has containers or volumes" in done.stderr
    assert not [command for _, command in engine.asked if re.match("compose (up|down)", command)]
