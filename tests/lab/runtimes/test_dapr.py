import json
import os
import subprocess
import sys
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest

from lab.errors import UsageError
from lab.paths import COMPONENTS, ROOT
from lab.ports import free_ports
from lab.redis_binary import default_redis
from lab.runtimes import make_runtime
from lab.runtimes.dapr import DaprRuntime
from lab.runtimes.dapr_binaries import DaprBinaries
from lab.stack_config import RuntimeName, StackConfig

BIN = ROOT / "tests" / "standins" / "bin"
LAB = (sys.executable, "-m", "lab")
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


def reproduce(
    folder: Path, *options: str, version: str = "1.16.1", **environ: str
) -> subprocess.CompletedProcess[str]:
    (folder / "small.yaml").write_text(SMALL)
    scenario = ["--scenario", str(folder / "small.yaml")]
    return subprocess.run(
        [*LAB, "reproduce", *scenario, "--runtime", "dapr", "--json", *options],
        cwd=ROOT,
        env={
            **os.environ,
            "RUNAWAY_RUNS_DIR": str(folder / "runs"),
            "STANDIN_PYTHON": sys.executable,
            "STANDIN_DAPR_VERSION": version,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("version", "verdict"), [("1.16.1", "REPRODUCED"), ("1.18.3", "NOT")])
def test_the_same_run_goes_through_daprs_command_lines(
    tmp_path: Path, version: str, verdict: str
) -> None:
    """On the programs of a folder the verdict is that of their own version, under their name."""
    done = reproduce(tmp_path, "--dapr-bin", str(BIN), version=version)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["verdict"].split()[0] == verdict
    (arm,) = result["arms"]
    assert arm["runtime"] == f"stand-in {version} (embedded)"
    assert f"On stand-in {version} (embedded), " in result["sentence"]
    kept = json.loads((tmp_path / "runs/latest/run.json").read_text())
    assert kept["versions"]["daprd"] == f"{version} ({BIN / 'daprd'})"
    assert kept["scenario"]["profile"] == version
    assert f"{version} ({BIN / 'daprd'})" in (tmp_path / "runs/latest/report.html").read_text()
    logs = {log.name for log in (tmp_path / "runs/latest/logs").iterdir()}
    assert logs >= {"cap-placement.log", "cap-scheduler.log", "cap-sidecar.log"}


def test_another_profile_than_the_programs_own_is_bad_usage(tmp_path: Path) -> None:
    """Nothing is judged by a version that does not run: exit code 2 before anything starts."""
    done = reproduce(tmp_path, "--dapr-bin", str(BIN), "--profile", "1.18.3")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--profile 1.18.3: {BIN / 'daprd'} is 1.16.1; leave --profile out" in done.stderr
    assert not list((tmp_path / "runs").glob("*"))


def test_without_programs_both_ways_to_get_them_are_said(tmp_path: Path) -> None:
    """Exit code 2, where was looked, and how to go on."""
    done = reproduce(tmp_path, PATH="/nowhere", HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path}/.dapr/bin has no daprd, no placement, no scheduler" in done.stderr
    assert "dapr init --slim" in done.stderr
    assert "--dapr-bin DIR" in done.stderr


@pytest.mark.parametrize("name", ["embedded", "compose"])
def test_programs_for_another_runtime_are_bad_usage(name: RuntimeName) -> None:
    """--dapr-bin beside a runtime that would not use it is refused."""
    with pytest.raises(UsageError, match="--dapr-bin: only --runtime dapr uses it"):
        make_runtime(name, BIN)


def test_a_version_that_nobody_knows_is_its_own_profile() -> None:
    """Whatever daprd says is what the run is judged by."""
    runtime = DaprRuntime(DaprBinaries(Path("/opt"), "1.15.20"), default_redis())
    assert runtime.profile(None) == runtime.profile("1.15.20") == "1.15.20"
    with pytest.raises(UsageError, match=r"--profile 1\.16\.1: /opt/daprd is 1\.15\.20"):
        runtime.profile("1.16.1")


def test_no_port_is_left_to_a_default(tmp_path: Path) -> None:
    """Every port of Dapr's programs is one of the stack's own, and none is given twice."""
    ports = free_ports(SystemRandom(), set())
    config = StackConfig(directory=tmp_path, components=COMPONENTS, ports=ports, runtime="dapr")
    runtime = DaprRuntime(DaprBinaries(BIN, "1.16.1"), default_redis())
    specs = {spec.name: spec.command for spec in runtime.services(config)}
    listens: list[str] = []
    for name in ("placement", "scheduler", "sidecar"):
        command = specs[name]
        listens += [
            value.rpartition(":")[2]
            for flag, value in zip(command[1::2], command[2::2], strict=True)
            if (flag.endswith("-port") and flag != "--app-port")
            or flag in ("--port", "--initial-cluster", "--etcd-initial-cluster")
        ]
    assert len(listens) == len(set(listens)) == 13
