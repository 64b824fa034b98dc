"""The driver at an address: the embedded sidecar as if it were another's."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.__main__ import main
from tests.sidecar.stack import Stack, stack, until
from tests.support.services import ROOT

pytestmark = pytest.mark.timeout(150)
PLAYED = ("happy", "restart_sidecar_sigkill", "flushall", "runaway_2s")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack whose app has gone."""
    with stack(tmp_path_factory.mktemp("external") / "stack", "1.18.3") as made:
        made.kill_app()
        yield made


def start_command(up: Stack, pid: Path) -> str:
    """Return a shell command that starts the sidecar in the background."""
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in up.env.items())
    run = f"cd {ROOT} && exec env {variables} {sys.executable} -m sidecar"
    return f"({run}) > {pid.parent}/sidecar.log 2>&1 & echo $! > {pid}"


def driven(up: Stack, out: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """Run the driver on the stack's address; return its exit code and what it found."""
    address = up.env["SIDECAR_GRPC_PORT"]
    scenarios = [word for each in PLAYED for word in ("--scenario", each)]
    code = main(
        [
            *("--grpc", f"127.0.0.1:{address}", "--profile", up.profile),
            *("--http", up.http_url.removeprefix("http://")),
            *("--scheduler", up.scheduler_address, "--json", str(out), *scenarios, *more),
        ]
    )
    return code, json.loads(out.read_text())


def test_what_can_be_done_is_played_and_the_rest_says_what_it_needs(
    up: Stack, tmp_path: Path
) -> None:
    """With commands to kill and start, but without a Redis."""
    up.kill_sidecar()
    pid = tmp_path / "pid"
    kill = f"kill -9 $(cat {pid}); while kill -0 $(cat {pid}) 2>/dev/null; do sleep 0.05; done"
    start = start_command(up, pid)
    up.closing.callback(_run, kill)
    _run(start)
    until(lambda: _is_up(up), 60, "the sidecar is up")
    code, found = driven(
        up, tmp_path / "out.json", "--kill-sidecar", kill, "--start-sidecar", start
    )
    cells = {each["scenario"]: each for each in found["results"]}
    assert found["runtimes"] == {"1.18.3": "embedded (profile 1.18.3)"}
    assert {name: each["verdict"] for name, each in cells.items()} == {
        "happy": "differs",
        "restart_sidecar_sigkill": "equal",
        "flushall": "not run",
        "runaway_2s": "not run",
    }
    assert cells["flushall"]["why"] == "needs --redis"
    assert cells["runaway_2s"]["why"] == "needs --redis, --set-ttl"
    assert cells["happy"]["not_compared_without"] == []
    assert cells["restart_sidecar_sigkill"]["not_compared_without"] == ["--sidecar-log"]
    assert code == 0


def _is_up(up: Stack) -> bool:
    try:
        return httpx.get(f"{up.health_url}/outbound", timeout=5).is_success
    except httpx.TransportError:
        return False


def _run(command: str) -> None:
    subprocess.run(command, shell=True, check=False)  # noqa: S602  # made above


def test_a_command_that_fails_is_named(up: Stack, tmp_path: Path) -> None:
    """The scenario could not be played, and the cell says which command and how it ended."""
    code, found = driven(
        up, tmp_path / "out.json", "--kill-sidecar", "exit 3", "--start-sidecar", "true"
    )
    [cell] = [each for each in found["results"] if each["scenario"] == "restart_sidecar_sigkill"]
    assert cell["verdict"] == "could not be played"
    assert "--kill-sidecar 'exit 3': ended with 3" in cell["why"]
    assert code == 1
