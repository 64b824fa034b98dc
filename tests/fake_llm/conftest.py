"""A fake LLM without delays and one that takes its time, each one process for all tests."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.http import SHARED_TLS
from tests.support.ports import free_port
from tests.support.services import running, wait_until_http

SLOW_TTFT_S = 0.5
SLOW_ITL_S = 0.01
SLOW_OUTPUT_TOKENS = 600


@dataclass(frozen=True, slots=True)
class FakeLlm:
    """A running service.

    Attributes:
        url: Its base, without `/v1`.
        port: Its port on 127.0.0.1.
        client: Asks it.
    """

    url: str
    port: int
    client: httpx.Client

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Read a control route."""
        answer = self.client.get(path, params=query)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def set_faults(self, *faults: dict[str, Any]) -> dict[str, Any]:
        """Set faults in place of all others."""
        answer = self.client.put("/faults", json={"faults": list(faults)})
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def post(self, body: Any, **headers: str) -> httpx.Response:
        """Ask for a chat completion; headers are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else None
        return self.client.post(
            "/v1/chat/completions",
            content=content,
            json=None if content is not None else body,
            headers=named,
        )

    def wait_until(self, holds: Callable[[dict[str, Any]], bool], timeout_s: float = 10) -> None:
        """Wait until what `/spend` says fulfils a condition."""
        deadline = time.monotonic() + timeout_s
        while not holds(spend := self.get("/spend")):
            assert time.monotonic() < deadline, spend
            time.sleep(0.01)


@contextmanager
def fake_llm_process(log_dir: Path, **settings: object) -> Iterator[FakeLlm]:
    """Run the service with some settings on a free port."""
    port = free_port()
    env = {f"FAKE_LLM_{name.upper()}": str(value) for name, value in settings.items()}
    url = f"http://127.0.0.1:{port}"
    env["FAKE_LLM_PORT"] = str(port)
    command = [sys.executable, "-m", "fake_llm"]
    with (
        running("fake_llm", command, log_dir, env) as service,
        httpx.Client(base_url=url, verify=SHARED_TLS, timeout=30) as client,
    ):
        wait_until_http(service, f"{url}/health", timeout_s=40)
        yield FakeLlm(url, port, client)


@pytest.fixture(scope="session")
def _fast_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeLlm]:
    with fake_llm_process(tmp_path_factory.mktemp("fast")) as service:
        yield service


@pytest.fixture(scope="session")
def _slow_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeLlm]:
    settings = {"ttft_s": SLOW_TTFT_S, "itl_s": SLOW_ITL_S, "output_tokens": SLOW_OUTPUT_TOKENS}
    with fake_llm_process(tmp_path_factory.mktemp("slow"), **settings) as service:
        yield service


def _emptied(service: FakeLlm) -> FakeLlm:
    service.wait_until(lambda spend: spend["in_flight"] == 0)
    service.client.delete("/faults").raise_for_status()
    service.client.post("/reset").raise_for_status()
    return service


@pytest.fixture
def fake_llm(_fast_process: FakeLlm) -> FakeLlm:
    """Give a service that answers at once, its ledger empty."""
    return _emptied(_fast_process)


@pytest.fixture
def slow_llm(_slow_process: FakeLlm) -> FakeLlm:
    """Give a service with a TTFT of half a second and an ITL of 10 ms, its ledger empty."""
    return _emptied(_slow_process)
