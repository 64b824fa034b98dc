import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from lab.paths import COMPONENTS, DAPR_CONFIG
from tests.support.ports import free_port
from tests.support.services import Service, running, wait_until_http

BIN = Path(__file__).with_name("bin")
ENV = {"STANDIN_PYTHON": sys.executable}


def run(program: str, *flags: str, version: str = "1.16.1") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / program), *flags],
        env={**os.environ, **ENV, "STANDIN_DAPR_VERSION": version},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@contextmanager
def program(name: str, ready: str, folder: Path, flags: list[str], **env: str) -> Iterator[Service]:
    with running(name, [str(BIN / name), *flags], folder, {**ENV, **env}) as service:
        wait_until_http(service, ready)
        yield service


@pytest.mark.parametrize("name", ["daprd", "placement", "scheduler"])
def test_a_flag_that_is_not_on_the_list_is_refused(name: str) -> None:
    """Unknown flags, and unknown values of ports, are exit code 2 and are named."""
    for flags in (["--no-such-flag", "1"], ["--metrics-port", "x"], ["--metrics-port=0"]):
        done = run(name, *flags)
        assert done.returncode == 2
        assert flags[0].partition("=")[0] in done.stderr


def test_the_version_is_printed_alone() -> None:
    """`--version` is one line with nothing but the version."""
    assert run("daprd", "--version", version="1.18.3").stdout == "1.18.3\n"


def test_a_scheduler_refuses_a_folder_that_others_may_read(tmp_path: Path) -> None:
    """The jobs' folder must have mode 0700."""
    tmp_path.chmod(0o755)
    done = run("scheduler", "--etcd-data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "must have mode 0700, not 0755" in done.stderr


def test_a_sidecar_is_ready_with_placement_only_and_says_what_it_is(
    tmp_path: Path, redis_port: int
) -> None:
    """Health and metadata answer on Dapr's routes; nothing calls the stand-in Dapr."""
    ports = [free_port() for _ in range(15)]
    base = f"http://127.0.0.1:{ports[0]}"
    with ExitStack() as stack:
        scheduler = _scheduler_flags(tmp_path, ports)
        health = f"http://127.0.0.1:{ports[4]}/healthz"
        stack.enter_context(program("scheduler", health, tmp_path, scheduler))
        placement = ExitStack()
        health = f"http://127.0.0.1:{ports[9]}/healthz"
        flags = _placement_flags(ports)
        placement.enter_context(program("placement", health, tmp_path, flags))
        stack.callback(placement.close)
        ready = f"{base}/v1.0/healthz/outbound"
        store = f"127.0.0.1:{redis_port}"
        flags = _daprd_flags(ports)
        stack.enter_context(program("daprd", ready, tmp_path, flags, STATE_REDIS_HOST=store))
        metadata = httpx.get(f"{base}/v1.0/metadata", trust_env=False).json()
        assert metadata["runtimeVersion"] == "stand-in 1.16.1 (embedded)"
        assert metadata["id"] == "some-app"
        assert httpx.get(f"{base}/v1.0/healthz", trust_env=False).status_code == 500
        placement.close()
        assert httpx.get(ready, trust_env=False).status_code == 500


def _scheduler_flags(folder: Path, ports: list[int]) -> list[str]:
    return [
        *("--id", "dapr-scheduler-server-0", "--listen-address", "127.0.0.1"),
        *("--port", str(ports[1]), "--etcd-data-dir", str(folder / "etcd")),
        *("--etcd-client-port", str(ports[2])),
        *("--etcd-initial-cluster", f"dapr-scheduler-server-0=http://127.0.0.1:{ports[3]}"),
        *("--healthz-port", str(ports[4]), "--metrics-port", str(ports[5])),
        *("--identity-directory-write", str(folder / "identity")),
    ]


def _placement_flags(ports: list[int]) -> list[str]:
    return [
        *("--id", "dapr-placement-0", "--listen-address", "127.0.0.1"),
        *("--port", str(ports[7]), "--healthz-listen-address", "127.0.0.1"),
        *("--initial-cluster", f"dapr-placement-0=127.0.0.1:{ports[8]}"),
        *("--healthz-port", str(ports[9]), "--metrics-port", str(ports[10])),
    ]


def _daprd_flags(ports: list[int]) -> list[str]:
    return [
        *("--app-id", "some-app", "--app-port", str(ports[14])),
        *("--dapr-http-port", str(ports[0]), "--dapr-grpc-port", str(ports[11])),
        *("--dapr-listen-addresses", "127.0.0.1"),
        *("--dapr-internal-grpc-port", str(ports[12])),
        *("--dapr-internal-grpc-listen-address", "127.0.0.1"),
        *("--placement-host-address", f"127.0.0.1:{ports[7]}"),
        *("--scheduler-host-address", f"127.0.0.1:{ports[1]}"),
        *("--resources-path", str(COMPONENTS), "--config", str(DAPR_CONFIG)),
        *("--metrics-port", str(ports[13])),
    ]
