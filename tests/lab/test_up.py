import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx
import psutil
import pytest

from lab.paths import ROOT
from lab.ports import OFFERED, Ports, flag_of, free_ports

pytestmark = pytest.mark.timeout(120)


def runaway(runs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=ROOT,
        env={**os.environ, "RUNAWAY_RUNS_DIR": str(runs)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def flags(ports: Ports) -> list[str]:
    return [word for name in OFFERED for word in (flag_of(name), str(getattr(ports, name)))]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    """Give a folder for runs whose stack ends with the test."""
    yield tmp_path
    runaway(tmp_path, "down")


def status_of(runs: Path) -> dict[str, Any]:
    done = runaway(runs, "status", "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pids(status: dict[str, Any]) -> dict[str, int]:
    return {service["name"]: service["pid"] for service in status["services"]}


def test_a_stack_in_the_background_is_seen_disrupted_and_ended(runs: Path) -> None:
    """`up --detach`, `status`, `disrupt` and `down` work on one real stack."""
    ports = free_ports(SystemRandom(), set())
    up = runaway(runs, "up", "--detach", "--json", "--cap", "1", "--call-s", "0.5", *flags(ports))
    assert up.returncode == 0, up.stderr
    before = status_of(runs)
    assert before["runtime"] == "embedded (profile 1.16.1)"
    assert len(before["services"]) == 7
    assert all(service["healthy"] for service in before["services"])

    app = f"http://127.0.0.1:{ports.app}"
    started = httpx.post(f"{app}/workflows", json={"name": "agent"}, trust_env=False)
    assert started.status_code == 202
    done = runaway(runs, "disrupt", "sidecar-kill", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    after = status_of(runs)
    # The state was written a moment ago and lives for its five seconds.
    assert 3000 < record["state_gone_unix_ms"] - record["began_unix_ms"] < 15_000
    changed = {name for name, pid in pids(after).items() if pids(before)[name] != pid}
    assert changed == {"sidecar"}

    down = runaway(runs, "down")
    assert (down.returncode, down.stdout) == (0, "the stack is down\n")
    assert not any(psutil.pid_exists(pid) for pid in pids(after).values())


def test_a_workflow_of_the_stack_is_stopped_at_its_source(runs: Path) -> None:
    """`stop` deletes the job of the call in flight and says so; what it refused is told why."""
    ports = free_ports(SystemRandom(), set())
    up = runaway(runs, "up", "--detach", "--call-s", "30", *flags(ports))
    assert up.returncode == 0, up.stderr
    app, llm = (f"http://127.0.0.1:{port}" for port in (ports.app, ports.fake_llm))
    request = {"name": "agent", "id": "lost"}
    assert httpx.post(f"{app}/workflows", json=request, trust_env=False).status_code == 202
    deadline = time.monotonic() + 20
    while not httpx.get(f"{llm}/spend", trust_env=False).json()["in_flight"]:
        assert time.monotonic() < deadline, "no call was made"
        time.sleep(0.05)

    stopped = runaway(runs, "stop", "lost", "--reason", "by a test")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert stopped.stdout.splitlines() == [
        "lost: killed, its calls are refused from now on",
        "source: stopped, 1 job deleted, none left",
    ]
    again = json.loads(runaway(runs, "stop", "lost", "--json").stdout)
    assert (again["state"], again["reason"]) == ("killed", "by a test")
    assert again["source"]["jobs_left"] == 0

    wrong = runaway(runs, "stop", "lost", "--app", "another")
    assert wrong.returncode == 2
    assert "its calls named the app 'workflow-app', not 'another'" in wrong.stderr
    mistaken = runaway(runs, "stop", "lots")
    assert mistaken.returncode == 1
    assert "the gateway has seen no call of it: is the id right?" in mistaken.stdout


def test_stop_without_a_stack_says_how_to_start_one(runs: Path) -> None:
    """No gateway, nothing to stop: exit code 2 and the command that brings one up."""
    done = runaway(runs, "stop", "lost")
    assert done.returncode == 2
    assert "start one with `runaway up`" in done.stderr
    assert "'..' is no instance id" in runaway(runs, "stop", "..").stderr


def test_a_taken_port_is_named_before_anything_starts(runs: Path) -> None:
    """`up` on a taken port: which one, by whom, which flag; exit code 2, no process."""
    ports = free_ports(SystemRandom(), set())
    holder = (
        "import http.server as h; h.test(h.SimpleHTTPRequestHandler, bind='127.0.0.1', port={})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder.format(ports.budget)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            done = runaway(runs, "up", "--detach", *flags(ports))
        finally:
            process.kill()
    assert done.returncode == 2
    assert f"port {ports.budget} (budget) is taken by python" in done.stderr
    assert f"(pid {process.pid}); choose another with --budget-port PORT" in done.stderr
    assert runaway(runs, "status").returncode == 2
