import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any

import psutil
import pytest

from lab.clock import now_unix_ms
from lab.errors import DockerError, ServiceFailedError
from lab.paths import COMPONENTS, ROOT
from lab.ports import free_ports
from lab.processes import Nursery
from lab.runtimes import make_runtime
from lab.runtimes.compose import ComposeRuntime, clear_leftovers
from lab.runtimes.compose_stack import ComposeStack
from lab.stack_config import StackConfig
from lab.waiting import Waiter

CLIENT = Path(__file__).parents[2] / "standins" / "docker"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put the stand-in for docker first on PATH; none of its containers outlives the test."""
    home = tmp_path / "docker"
    home.mkdir()
    monkeypatch.setenv("STANDIN_DOCKER_DIR", str(home))
    monkeypatch.setenv("STANDIN_PYTHON", sys.executable)
    monkeypatch.setenv("PATH", f"{CLIENT}{os.pathsep}{os.environ['PATH']}")
    yield home
    for container in containers(home).values():
        container.kill()


def containers(home: Path) -> dict[str, psutil.Process]:
    """Return what runs, by the name of the service."""
    found = {}
    for file in home.glob("runaway-*.json"):
        for service, container in json.loads(file.read_text()).items():
            if psutil.pid_exists(container["pid"]):
                found[service] = psutil.Process(container["pid"])
    return found


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def asked(home: Path) -> list[list[str]]:
    """Return what compose was asked for, each without the project's own flags."""
    lines = [json.loads(line) for line in (home / "asked.ndjson").read_text().splitlines()]
    return [line[7:] for line in lines if line[:2] == ["compose", "--project-name"]]


def config_in(folder: Path, **more: Any) -> StackConfig:
    ports = free_ports(SystemRandom(), set())
    return StackConfig(
        directory=folder / "cap", components=COMPONENTS, ports=ports, runtime="compose", **more
    )


def stack_in(config: StackConfig, nursery: Nursery) -> ComposeStack:
    runtime = make_runtime("compose")
    assert isinstance(runtime, ComposeRuntime)
    return runtime.stack(config, nursery)


def test_a_service_is_killed_and_started_and_all_is_gone_at_the_end(docker: Path) -> None:
    """One service dies at the moment that is told, comes back, and `stop` leaves its log only."""
    config = config_in(docker)
    waiter = Waiter(threading.Event())
    with Nursery() as nursery:
        stack = stack_in(config, nursery)
        stack.start(waiter)
        assert stack.label() == "stand-in 1.16.1"
        assert [record.state for record in stack.records()] == ["running"] * 8
        before, sidecar = now_unix_ms(), containers(docker)["dapr"]
        assert before <= stack.kill("sidecar") <= now_unix_ms()
        assert not lives(sidecar)
        stack.alive()
        stack.restart("sidecar", waiter)
        assert containers(docker)["dapr"].pid != sidecar.pid
        members = containers(docker)
        stack.stop()
    assert not any(map(lives, members.values()))
    assert "dapr of 1.16.1 runs" in (config.logs / "sidecar.log").read_text()
    assert [words[0] for words in asked(docker)].count("down") == 1


def test_a_log_that_is_no_utf_8_is_kept_all_the_same(docker: Path) -> None:
    """What a container wrote stops nothing: its log has a mark where no text can be read."""
    config = config_in(docker)
    with Nursery() as nursery:
        stack = stack_in(config, nursery)
        stack.start(Waiter(threading.Event()))
        with (docker / "dapr.log").open("ab") as log:
            log.write(b"caf\xe9\n")
        members = containers(docker)
        stack.stop()
    assert not any(map(lives, members.values()))
    assert "caf\ufffd\n" in (config.logs / "sidecar.log").read_text(encoding="utf-8")


def test_logs_that_cannot_be_kept_do_not_keep_the_stack(docker: Path) -> None:
    """With no folder to write to, `stop` says so once everything is gone."""
    config = config_in(docker)
    with Nursery() as nursery:
        stack = stack_in(config, nursery)
        stack.start(Waiter(threading.Event()))
        members = containers(docker)
        shutil.rmtree(config.logs)
        with pytest.raises(FileNotFoundError):
            stack.stop()
        assert not any(map(lives, members.values()))
    assert [words[0] for words in asked(docker)].count("down") == 1


def test_a_container_that_ends_by_itself_is_named_with_its_log(docker: Path) -> None:
    """A dead container ends the stack, by the lab's own name for it."""
    with Nursery() as nursery:
        stack = stack_in(config_in(docker), nursery)
        try:
            stack.start(Waiter(threading.Event()))
            containers(docker)["fastapi"].kill()
            with pytest.raises(ServiceFailedError, match=r"workflow_app ended by itself") as caught:
                look_until_it_raises(stack)
            assert "fastapi of 1.16.1 runs" in caught.value.tail
        finally:
            stack.stop()


def look_until_it_raises(stack: ComposeStack) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stack.alive()
        time.sleep(0.05)


def test_looking_is_cheap(docker: Path) -> None:
    """A hundred looks within a moment ask the client once at most."""
    with Nursery() as nursery:
        stack = stack_in(config_in(docker), nursery)
        try:
            stack.start(Waiter(threading.Event()))
            for _ in range(100):
                stack.alive()
        finally:
            stack.stop()
    assert [words[0] for words in asked(docker)].count("ps") <= 2


def test_settings_reach_the_file_as_its_variables(docker: Path) -> None:
    """Choices of a stack are what docker-compose.yml reads; what was not chosen is empty."""
    config = config_in(docker, profile="1.18.3", cap_usd="1.20", ttft_s=0.0, zombie_executions=3)
    with Nursery() as nursery:
        env = stack_in(config, nursery).project.env
    assert (env["DAPR_VERSION"], env["BUDGET_CAP_USD"]) == ("1.18.3", "1.20")
    assert (env["FAKE_LLM_TTFT_S"], env["BUDGET_ZOMBIE_EXECUTIONS"]) == ("0", "3")
    assert (env["BUDGET_SAFETY_CAP_USD"], env["PRICE_FILE"]) == ("", "")
    assert env["APP_PORT"] == str(config.ports.app)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_container_outlives_the_lab(docker: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGKILL both take all containers down, by the lab or by its guardian."""
    command = [sys.executable, "-m", "tests.lab.runtimes.hold_compose", str(docker)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        members = containers(docker)
        assert len(members) == 8
        process.send_signal(number)
        deadline = time.monotonic() + 20
        while any(map(lives, members.values())):
            assert time.monotonic() < deadline, "a container is left"
            time.sleep(0.05)


def test_down_clears_the_containers_of_a_crash(docker: Path) -> None:
    """With lab and guardian gone the same folder leads to the same project."""
    config = config_in(docker)
    with Nursery() as nursery:
        stack = stack_in(config, nursery)
        stack.start(Waiter(threading.Event()))
        members = containers(docker)
        assert clear_leftovers(config) == stack.project.name
        assert not any(map(lives, members.values()))
        assert clear_leftovers(config) is None
        stack.stop()


def test_missing_images_are_named_with_the_commands_that_get_them(docker: Path) -> None:
    """Without images nothing is begun, and the version is in the commands."""
    (docker / "no-images").touch()
    with pytest.raises(DockerError) as caught:
        make_runtime("compose").profile("1.18.3")
    assert "daprio/daprd:1.18.3, daprio/placement:1.18.3" in str(caught.value)
    assert "DAPR_VERSION=1.18.3 docker compose pull" in str(caught.value)


def test_an_engine_that_is_not_reached_is_said(docker: Path) -> None:
    """A client without an engine: which step comes next."""
    (docker / "no-engine").touch()
    with pytest.raises(DockerError, match="docker reaches no engine: start it"):
        make_runtime("compose")


def test_no_client_and_no_plugin_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of what compose needs has a line of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DockerError, match="no docker client on PATH"):
        make_runtime("compose")
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\nexit 1\n")
    client.chmod(0o755)
    with pytest.raises(DockerError, match="docker has no compose plugin"):
        make_runtime("compose")
