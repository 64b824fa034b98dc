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
        ("POST", "/workflows/some/suspend", None),
        ("POST", "/workflows/some/resume", None),
        ("POST", "/workflows/some/events/approve", {"approved": True}),
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
        ("/workflows", {"name": "nix"}, ["known are: agent, hello, pipeline"]),
        ("/workflows", {"name": "agent", "id": "a::b"}, ["id: an instance id has 1 to 100"]),
        ("/workflows", {"name": "agent", "input": {"steps": 0, "x": 1}}, ["steps:", "x:"]),
        ("/workflow/hello", {"instance_id": "a b", "x": 1}, ["instance_id:", "x:"]),
        ("/workflows/a::b/terminate", {}, ["instance_id: an instance id has 1 to 100"]),
        ("/workflows/a::b/suspend", {}, ["instance_id: an instance id has 1 to 100"]),
        ("/workflows/a/events/a%20b", {}, ["name: an event's name has 1 to 100 letters"]),
        (f"/workflows/a/events/{'x' * 101}", {}, ["name: an event's name has 1 to 100 letters"]),
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


@pytest.mark.parametrize(
    ("content", "content_type", "status", "told"),
    [
        (b'{"approved": true}', "text/plain", 422, "with content-type: application/json"),
        (b"[NaN]", "application/json", 422, "NaN and Infinity are no JSON"),
        (b"{nix", "application/json", 422, "JSON decode error"),
        (b" " * 65_537, "application/json", 413, "at most 65536 bytes"),
        (b" " * 65_536 + b"1", "application/json", 413, "at most 65536 bytes"),
    ],
)
def test_a_bad_payload_is_refused_before_the_engine_is_asked(
    alone: httpx.Client, content: bytes, content_type: str, status: int, told: str
) -> None:
    """The answer says how to send it."""
    headers = {"content-type": content_type}
    answer = alone.post("/workflows/a/events/b", content=content, headers=headers)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def _pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * 1024


@pytest.mark.parametrize("path", ["/workflows", "/workflow/hello", "/workflows/a/terminate"])
def test_no_route_reads_a_body_without_end(alone: httpx.Client, path: str) -> None:
    """One byte too many is a 413, also where no length was announced."""
    answer = alone.post(path, content=_pieces(65))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_body_of_the_longest_size_is_read(alone: httpx.Client) -> None:
    """The limit itself is allowed."""
    headers = {"content-type": "application/json"}
    answer = alone.post("/workflows", content=_pieces(64), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


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
    assert sorted(index["workflows"]) == ["agent", "hello", "pipeline"]
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
