"""How the sidecar starts, what it says of itself over HTTP, and how it ends."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from sidecar.components.state_store import IN_MEMORY, StateStore
from sidecar.server import Sidecar, run
from sidecar.settings import SidecarSettings
from sidecar.stores.sqlite import SqliteRows
from tests.sidecar.scenarios import start
from tests.sidecar.stack import stack, until
from tests.support.components import write_component
from tests.support.ports import free_port
from tests.support.services import ROOT

LONGEST_END_S = 5.0


def _refused(env: Mapping[str, str]) -> str:
    """Return the one line of a sidecar that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "sidecar"],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("sidecar: ")
    return line.removeprefix("sidecar: ")


def _good(directory: Path) -> dict[str, str]:
    write_component(directory, ttl_s=5)
    return {
        "STATE_REDIS_HOST": "127.0.0.1:1",
        "SIDECAR_RESOURCES_PATH": str(directory),
        "SIDECAR_GRPC_PORT": str(free_port()),
        "SIDECAR_HTTP_PORT": str(free_port()),
    }


def test_every_bad_setting_is_named_in_one_line() -> None:
    """Two bad settings, one line, exit 2."""
    line = _refused({"SIDECAR_GRPC_PORT": "x", "SIDECAR_PROFILE": "1.0.0"})
    assert "SIDECAR_GRPC_PORT" in line
    assert (
        "SIDECAR_PROFILE=1.0.0: no profile '1.0.0'; the known ones are 1.15, 1.16.0, 1.16.1" in line
    )


def test_a_missing_component_folder_is_named(tmp_path: Path) -> None:
    """The line names the setting."""
    line = _refused({**_good(tmp_path), "SIDECAR_RESOURCES_PATH": str(tmp_path / "none")})
    assert line == f"SIDECAR_RESOURCES_PATH: {tmp_path / 'none'} is not a directory"


@pytest.mark.parametrize("setting", ["SIDECAR_GRPC_PORT", "SIDECAR_HTTP_PORT"])
def test_a_taken_port_is_named(tmp_path: Path, setting: str) -> None:
    """The line names the setting whose port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = _refused({**_good(tmp_path), setting: str(port)})
    assert line.startswith(f"{setting}={port}: can't listen on 127.0.0.1:{port}")


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    """The line names one of the two settings that want it."""
    good = _good(tmp_path)
    line = _refused({**good, "SIDECAR_HTTP_PORT": good["SIDECAR_GRPC_PORT"]})
    assert line.startswith(f"SIDECAR_GRPC_PORT={good['SIDECAR_GRPC_PORT']}: can't listen on")


def test_a_sidecar_with_work_in_hand_ends_soon_and_loses_nothing(tmp_path: Path) -> None:
    """SIGTERM in the middle of an activity: exit 0 within seconds; the next life finishes it."""
    with stack(tmp_path / "stack", "1.16.1", ttl_s=60) as running:
        url = running.health_url
        assert httpx.get(url).status_code == 204
        told = running.metadata()
        assert told["id"] == "lab"
        assert told["runtimeVersion"] == "embedded (profile 1.16.1)"
        assert told["components"][0]["ttlInSeconds"] == 60
        assert told["workflows"] == {"connectedWorkers": 1}
        start(running, "seq", "term", {"steps": 2, "sleep": 2, "later": 0.1})
        until(lambda: running.executions("term"))
        assert running.sidecar is not None
        began = time.monotonic()
        running.sidecar.process.send_signal(signal.SIGTERM)
        assert running.sidecar.process.wait(LONGEST_END_S) == 0
        assert time.monotonic() - began < LONGEST_END_S
        running.start_sidecar()
        ended = running.client.wait_for_workflow_completion("term", timeout_in_seconds=30)
        assert ended is not None
        assert ended.serialized_output == '[{"i": 0}, {"i": 1}]'


class _Unfollowed:
    """A component whose files can't be followed any more."""

    store = StateStore("statestore", IN_MEMORY)

    def ttl_s(self) -> int | None:
        return None

    async def follow(self) -> None:
        raise LookupError("a fault of ours")


async def test_a_sidecar_ends_with_what_fails_behind_its_calls() -> None:
    """One that went on would look well, and take no jobs or follow no edits."""
    settings = SidecarSettings(
        grpc_port=free_port(), http_port=free_port(), scheduler_address="127.0.0.1:1"
    )
    made = Sidecar(settings, _Unfollowed(), SqliteRows())
    with pytest.raises(LookupError, match="a fault of ours"):
        await asyncio.wait_for(run(made, asyncio.Event()), 20)
