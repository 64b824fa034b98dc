import json
import os
import subprocess
import sys
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
