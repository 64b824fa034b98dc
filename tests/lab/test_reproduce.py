import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab.reproduce import reproduce as run_scenario
from lab.scenario import load_scenario
from lab.verdict import ExitCode
from tests.support.services import ROOT

pytestmark = pytest.mark.timeout(150)

SMALL = """
workflows: 2
start_rate_per_s: 10
call_s: 1
ttl_s: 2
observe_s: 9
input: {steps: 30, pause_s: 0.2, prompt_tokens: 100, max_tokens: 100}
cap_usd: "0.10"
arms: [cap]
"""


@contextmanager
def reproduce(tmp_path: Path, *options: str, text: str = SMALL) -> Iterator[subprocess.Popen[str]]:
    """Run the command on a small scenario; the block may do to it what it likes."""
    scenario = tmp_path / "small.yaml"
    scenario.write_text(text)
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab", "reproduce", "--scenario", str(scenario), *options],
            cwd=ROOT,
            env={**os.environ, "RUNAWAY_RUNS_DIR": str(tmp_path / "runs"), "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def run_json(tmp_path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((tmp_path / "runs/latest/run.json").read_text())
    return document


def test_the_incident_its_cap_and_its_end_on_the_real_stack(tmp_path: Path) -> None:
    """On real processes the runaway is reproduced, capped and stopped, and the run is kept."""
    with reproduce(tmp_path, "--arm", "cap", "--arm", "full", "--json") as process:
        output, _ = process.communicate(timeout=140)
    result = json.loads(output)
    assert (process.returncode, result["verdict"]) == (0, "REPRODUCED"), result
    cap, full = result["arms"]
    for arm in (cap, full):
        assert arm["runtime"] == "embedded (profile 1.16.1)"
        assert 0 < arm["spent_nano_usd"] <= arm["limit_nano_usd"] == 100_000_000
        assert arm["refusals"] > 0
    assert cap["activities_endless"] == cap["activities_in_flight"] > 0
    assert (full["activities_endless"], full["duplicate_calls"]) == (0, 0)
    assert full["workflows_stopped"] == full["activities_in_flight"] > 0
    assert full["replays"] > 0
    run = tmp_path / "runs" / "latest"
    lines = [json.loads(line) for line in (run / "timeline.ndjson").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"load", "keys", "event"}
    calls = [json.loads(line) for line in (run / "calls.ndjson").read_text().splitlines()]
    for arm in (cap, full):
        paid = [call["nano_usd"] for call in calls if call["arm"] == arm["arm"]]
        assert sum(paid) == arm["spent_nano_usd"]
    assert "REPRODUCED" in (run / "report.html").read_text()
    assert (run / "summary.md").read_text().startswith("## REPRODUCED")
    assert {log.name for log in (run / "logs").iterdir()} >= {"cap-sidecar.log", "full-budget.log"}
    assert run_json(tmp_path)["status"] == "complete"


def test_redis_and_sidecar_lost_together_run_away_with_the_retry_policy_too(
    tmp_path: Path,
) -> None:
    """The public reproduction's own disruption, under the incident's retry policy: endless."""
    options = ("--disrupt", "redis-and-sidecar-kill", "--outage", "1", "--retry", "incident")
    with reproduce(tmp_path, *options, "--json") as process:
        output, _ = process.communicate(timeout=140)
    result = json.loads(output)
    assert (process.returncode, result["verdict"]) == (0, "REPRODUCED"), result
    (arm,) = result["arms"]
    assert arm["activities_endless"] == arm["activities_in_flight"] > 0
    assert "in flight at the redis and sidecar kill, all ran again" in result["sentence"]


def test_a_restart_shorter_than_the_activity_doubles_the_bill(tmp_path: Path) -> None:
    """The sidecar is back before the calls end: two executions of each activity side by side."""
    longer = SMALL.replace("call_s: 1", "call_s: 4").replace("observe_s: 9", "observe_s: 24")
    options = ("--disrupt", "sidecar-restart", "--arm", "off", "--json")
    with reproduce(tmp_path, *options, text=longer) as process:
        output, _ = process.communicate(timeout=140)
    result = json.loads(output)
    assert (process.returncode, result["verdict"]) == (0, "REPRODUCED"), result
    (arm,) = result["arms"]
    assert ", 2 side by side" in result["sentence"]
    # One execution each four seconds and chain, over whole windows of ten.
    chains, counts = 2 * arm["activities_in_flight"], arm["executions_again_per_10_s"]
    assert abs(sum(counts) - chains * len(counts) * 10 / 4) <= chains


def test_a_service_killed_in_the_middle_is_unknown_and_named(tmp_path: Path) -> None:
    """The gateway dies while workflows run: UNKNOWN, its name, its last lines, exit code 2."""
    with reproduce(tmp_path) as process:
        wait_until(lambda: "workflows to run" in (tmp_path / "said").read_text(), 100)
        members = psutil.Process(process.pid).children(recursive=True)
        (gateway,) = [p for p in members if p.cmdline()[-2:] == ["-m", "budget"]]
        gateway.kill()
        output, _ = process.communicate(timeout=30)
        first, second, *_ = output.splitlines()
        assert (process.returncode, first) == (2, "UNKNOWN")
        assert second == "arm cap: budget ended by itself (signal 9); its last log lines:"
        assert len(output.splitlines()) > 3
        assert not [p for p in members if p.is_running()]
    assert run_json(tmp_path)["status"] == "failed"


def test_what_the_lab_did_not_foresee_is_unknown_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception of no known kind in an arm ends the run: UNKNOWN, one line, exit code 2."""
    monkeypatch.setenv("RUNAWAY_RUNS_DIR", str(tmp_path / "runs"))
    surprises = [KeyError("no such word")]

    def say(_arm: str, _text: str) -> None:
        if surprises:
            raise surprises.pop()

    scenario = load_scenario("demo", {"arms": ["cap"]}, {"arms": "--arm"})
    result = run_scenario(scenario, threading.Event(), say, ["reproduce"])
    assert result.verdict.exit_code is ExitCode.UNKNOWN
    assert result.verdict.sentence == (
        "arm cap: unexpected KeyError: 'no such word' (traceback: logs/lab-errors.log)"
    )
    assert "raise surprises.pop()" in (result.directory / "logs/lab-errors.log").read_text()
    assert run_json(tmp_path)["status"] == "failed"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_stopped_run_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Ctrl-C and SIGKILL both leave no process within five seconds, and a partial run."""
    with reproduce(tmp_path) as process:
        parent = psutil.Process(process.pid)
        wait_until(lambda: len(parent.children()) >= 4, 60)
        members = parent.children(recursive=True)
        process.send_signal(number)
        wait_until(lambda: not any(map(_lives, members)), 5)
        process.communicate(timeout=30)
    assert process.returncode == code
    (run,) = [path for path in (tmp_path / "runs").iterdir() if not path.is_symlink()]
    status = json.loads((run / "run.json").read_text())["status"]
    assert status == ("interrupted" if number is signal.SIGINT else "running")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_cap_below_the_healthy_phase_is_said_at_once(tmp_path: Path) -> None:
    """Calls that are refused before anything is disrupted end the run as UNKNOWN, with the mend."""
    with reproduce(tmp_path, "--cap", "0.000000001") as process:
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 2
    assert printed.startswith("UNKNOWN\n")
    assert "raise cap_usd (--cap)" in printed
