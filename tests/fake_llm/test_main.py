import json
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.fake_llm.conftest import fake_llm_process
from tests.support.ports import free_port
from tests.support.services import running, wait_until_http

_STREAM = {
    "model": "gpt-4",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
}


def _refusal(tmp_path: Path, **settings: object) -> str:
    """Start the service with settings it must refuse; return the line it leaves."""
    env = {f"FAKE_LLM_{name.upper()}": str(value) for name, value in settings.items()}
    with running("fake_llm", [sys.executable, "-m", "fake_llm"], tmp_path, env) as service:
        assert service.process.wait(40) == 2
        (line,) = service.log.read_text().splitlines()
        return line


def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    """One line, exit 2: the port and how to choose another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = _refusal(tmp_path, port=port)
    assert str(port) in line
    assert "FAKE_LLM_PORT" in line


def test_all_bad_settings_are_named_at_once(tmp_path: Path) -> None:
    """One line, exit 2, however many are wrong."""
    line = _refusal(tmp_path, port="x", ttft_s=-1, itl_s="nan", output_tokens=0)
    for name in ("PORT", "TTFT_S", "ITL_S", "OUTPUT_TOKENS"):
        assert f"FAKE_LLM_{name}" in line


def test_a_bad_price_file_is_named_with_its_setting(tmp_path: Path) -> None:
    """One line, exit 2: the setting, the file and the field."""
    file = tmp_path / "prices.yaml"
    file.write_text("models: {gpt-4: {input_usd_per_million: 0.5}}\n")
    line = _refusal(tmp_path, price_file=file, port=free_port())
    for words in ("FAKE_LLM_PRICE_FILE", "prices.yaml", "input_usd_per_million", "output_usd"):
        assert words in line


def test_a_price_file_makes_a_call_of_a_thousand_tokens_cost_three_cents(tmp_path: Path) -> None:
    """$30/M for input and output: 400 + 600 tokens are exactly 30,000,000 nano-dollars."""
    file = tmp_path / "prices.yaml"
    file.write_text('models: {gpt-4: {input_usd_per_million: 30, output_usd_per_million: "30"}}\n')
    content = "hi" + " hi" * 392
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": content}]}
    with fake_llm_process(tmp_path, price_file=file, output_tokens=600, calls_limit=2) as service:
        usage = service.post(body).json()["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (400, 600)
        assert service.get("/spend")["usd"] == "0.030000000"
        for _ in range(3):
            service.post(body).raise_for_status()
        feed = service.get("/calls")
        assert ([call["seq"] for call in feed["calls"]], feed["dropped"]) == ([3, 4], 2)
        assert service.get("/spend")["nano_usd"] == 4 * 30_000_000


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_ends_it_in_order(tmp_path: Path, *, busy: bool) -> None:
    """Exit 0 within a few seconds, with a stream of ten minutes open or without; logs are JSON."""
    port = free_port()
    env = {"FAKE_LLM_PORT": str(port), "FAKE_LLM_ITL_S": "10"}
    url = f"http://127.0.0.1:{port}"
    with (
        running("fake_llm", [sys.executable, "-m", "fake_llm"], tmp_path, env) as service,
        httpx.Client(base_url=url) as client,
    ):
        wait_until_http(service, url + "/health", timeout_s=40)
        if busy:
            with client.stream("POST", "/v1/chat/completions", json=_STREAM) as answer:
                pieces = answer.iter_raw()
                next(pieces)
                service.process.terminate()
                began = time.monotonic()
                assert service.process.wait(10) == 0
        else:
            service.process.terminate()
            began = time.monotonic()
            assert service.process.wait(10) == 0
        assert time.monotonic() - began < 8
        events = [json.loads(line)["event"] for line in service.log.read_text().splitlines()]
        assert (events[0], events[-1]) == ("listening", "stopped")
