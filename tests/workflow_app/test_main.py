"""The app as a process that has no sidecar."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.services import ROOT, Service, running, wait_until_http

COMMAND = [sys.executable, "-m", "workflow_app"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Give a client of an app whose sidecar does not exist."""
    directory = tmp_path_factory.mktemp("alone")
    with _started(directory) as (_, url), httpx.Client(base_url=url, timeout=10) as client:
        yield client


class _started:  # noqa: N801 - used as a function
    """Runs an app without a sidecar."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        env = {
            "WORKFLOW_APP_PORT": str(port),
            "WORKFLOW_APP_SIDECAR_ADDRESS": f"127.0.0.1:{free_port()}",
        }
        self._running = running("workflow_app", COMMAND, directory, env)

    def __enter__(self) -> tuple[Service, str]:
        service = self._running.__enter__()
        wait_until_http(service, f"{self.url}/health", 50)
        return service, self.url

    def __exit__(self, *_: object) -> None:
        self._running.__exit__(None, None, None)


def test_health_answers_without_a_sidecar(alone: httpx.Client) -> None:
    """The app lives, and says that its sidecar does not."""
    answer = alone.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "starting", "sidecar": "unreachable"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/workflow/hello", {"instance_id": "test-workflow-123"}),
        ("POST", "/workflow/hello", None),
        ("POST", "/workflows", {"name": "agent"}),
        ("GET", "/workflows/some", None),
        ("POST", "/workflows/some/terminate", None),
        ("POST", "/workflows/some/purge", None),
    ],
)
def test_what_needs_the_engine_is_503_at_once(
    alone: httpx.Client, method: str, path: str, body: object
) -> None:
    """No request hangs; the answer names the sidecar's address."""
    began = time.monotonic()
    answer = alone.request(method, path, json=body)
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "sidecar_unreachable"
    assert "the sidecar at 127.0.0.1:" in error["message"]
    assert time.monotonic() - began < 6


def test_a_refused_start_leaves_no_trace(alone: httpx.Client) -> None:
    """What never started stands in no feed."""
    alone.post("/workflows", json={"name": "agent", "id": "never"})
    assert alone.get("/workflows").json() == {"workflows": [], "next": 0, "dropped": 0}
    assert alone.get("/executions").json() == {"executions": [], "next": 0, "dropped": 0}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/workflows", {}, ["name: Field required"]),
        ("/workflows", {"name": "nix"}, ["known are: agent, hello"]),
        ("/workflows", {"name": "agent", "id": "a::b"}, ["id: an instance id has 1 to 100"]),
        ("/workflows", {"name": "agent", "input": {"steps": 0, "x": 1}}, ["steps:", "x:"]),
        ("/workflow/hello", {"instance_id": "a b", "x": 1}, ["instance_id:", "x:"]),
        ("/workflows/a::b/terminate", {}, ["instance_id: an instance id has 1 to 100"]),
    ],
)
def test_bad_input_is_422_and_names_what_is_bad(
    alone: httpx.Client, path: str, body: object, named: list[str]
) -> None:
    """Bad input is refused before the engine is asked, in the shape of all errors."""
    answer = alone.post(path, json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
    for text in named:
        assert text in error["message"]


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=10001"])
@pytest.mark.parametrize("feed", ["/workflows", "/executions"])
def test_a_bad_cursor_is_422(alone: httpx.Client, feed: str, query: str) -> None:
    """A feed is never read from a place that does not exist."""
    answer = alone.get(f"{feed}?{query}")
    assert answer.status_code == 422
    assert query.split("=", maxsplit=1)[0] in answer.json()["error"]["message"]


def test_the_index_leads_on(alone: httpx.Client) -> None:
    """Every endpoint that the index names is there."""
    index = alone.get("/").json()
    assert sorted(index["workflows"]) == ["agent", "hello"]
    for name, path in index["endpoints"].items():
        method = "OPTIONS" if name == "start_hello" else "GET"
        assert alone.request(method, path).status_code in {200, 405}, path


def test_an_unknown_route_is_404_in_the_shape_of_all_errors(alone: httpx.Client) -> None:
    """No answer has a shape of its own."""
    answer = alone.get("/nix")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_sigterm_ends_the_app_within_seconds_without_a_sidecar(tmp_path: Path) -> None:
    """The SDK's worker, which waits for a sidecar for ever, does not keep the process."""
    with _started(tmp_path) as (service, _):
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) == 0
        assert time.monotonic() - began < 5


def test_bad_settings_are_one_line_and_exit_2() -> None:
    """The app refuses to start before it touches the network."""
    done = _refused({"WORKFLOW_APP_PORT": "x", "WORKFLOW_APP_LLM_BASE_URL": "y"})
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "WORKFLOW_APP_PORT=x" in line
    assert "WORKFLOW_APP_LLM_BASE_URL=y" in line


def test_a_taken_port_is_one_line_and_exit_2(alone: httpx.Client) -> None:
    """The line names the setting that would help."""
    port = str(alone.base_url.port)
    done = _refused({"WORKFLOW_APP_PORT": port})
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"WORKFLOW_APP_PORT={port}: can't listen on 127.0.0.1:{port}" in line


def _refused(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
