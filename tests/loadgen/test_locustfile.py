"""Locust itself, as a process, against a toy app."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.loadgen.locust_run import command, environment, locust
from tests.loadgen.toy_app import ToyApp, toy_app
from tests.support.ports import free_port
from tests.support.services import ROOT


def until(look: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def read_summary(directory: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    return written


def test_a_run_of_healthy_workflows_ends_by_itself_with_0(tmp_path: Path) -> None:
    """Exactly the workflows that were asked for start at the rate; all finished ends the run.

    Run from another directory, with an option from the environment.
    """
    with toy_app(nano_usd_per_start=1_000) as toy:
        done = locust(
            toy.url,
            *("--start-rate", "10", "--input", '{"steps": 2}', "--run-id", "mine"),
            *("--timeline", "timeline.ndjson", "--summary", "summary.json", "-u", "3"),
            cwd=tmp_path,
            env={"LOADGEN_WORKFLOWS": "6"},
        )
    assert done.returncode == 0, done.stderr
    bodies = [body for _, body in toy.starts]
    ids = [f"mine-{number}" for number in range(1, 7)]
    assert bodies == [{"name": "agent", "id": each, "input": {"steps": 2}} for each in ids]
    took_s = toy.starts[-1][0] - toy.starts[0][0]
    assert 0.4 <= took_s <= 2
    summary = read_summary(tmp_path)
    assert (summary["started"], summary["finished"], summary["exit_code"]) == (6, 6, 0)
    last = json.loads((tmp_path / "timeline.ndjson").read_text().splitlines()[-1])
    assert (last["finished"], last["calls"], last["nano_usd"]) == (6, 6, 6_000)
    assert last["budget"] == {"mode": "cap", "cut_off": True}
    assert re.search(r"^repeat with: locust -f \S+ .*--workflows 6 ", done.stdout, re.MULTILINE)


def test_every_fate_is_told_apart(tmp_path: Path) -> None:
    """What the engine denies, what hangs, what was refused and what lost its answer all differ."""
    fates = ["expire", "fail", "lose", "hang", "refuse", "vanish", "cut"]
    with toy_app(fates=dict(enumerate(fates, start=1))) as toy:
        done = locust(
            toy.url,
            *("--workflows", "8", "--start-rate", "20", "--run-id", "r", "-t", "2s"),
            *("--drain-timeout-s", "0.2", "--summary", "summary.json"),
            cwd=tmp_path,
        )
    assert done.returncode == 1
    states = {each["id"]: each["state"] for each in read_summary(tmp_path)["instances"]}
    assert [states[f"r-{number}"] for number in range(1, 9)] == [
        *("finished", "failed", "lost", "stuck"),
        *("start_failed", "lost", "finished", "finished"),
    ]
    assert "of 8 workflows 1 start failed, 1 failed, 2 lost, 1 stuck" in done.stdout


def test_a_run_that_expects_losses_ends_with_0(tmp_path: Path) -> None:
    """With --expect any only a workflow that did not start is against expectation."""
    with toy_app(fates={1: "lose", 2: "hang"}) as toy:
        done = locust(
            toy.url,
            *("--workflows", "3", "--expect", "any", "-t", "1s", "--drain-timeout-s", "0"),
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    assert "all 3 workflows started: 1 finished, 1 lost, 1 stuck" in done.stdout


def test_the_guard_stops_a_run_that_costs_too_much(tmp_path: Path) -> None:
    """Beyond --max-spend-usd no workflow is started any more, and the exit code is 3."""
    fates = dict.fromkeys(range(1, 200), "hang")
    with toy_app(fates=fates, nano_usd_per_start=100_000_000) as toy:
        done = locust(
            toy.url,
            *("--workflows", "150", "--start-rate", "10", "--max-spend-usd", "0.35"),
            *("--summary", "summary.json"),
            cwd=tmp_path,
        )
    assert done.returncode == 3, done.stderr
    assert "more than --max-spend-usd 0.350000000" in read_summary(tmp_path)["reason"]
    assert 4 <= len(toy.starts) <= 40


def test_a_slow_app_does_not_slow_the_starts(tmp_path: Path) -> None:
    """One user sends the starts on schedule although each answer takes longer than the gap."""
    with toy_app(start_takes_s=1.0) as toy:
        done = locust(toy.url, *("--workflows", "8", "--start-rate", "10", "-u", "1"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert toy.starts[-1][0] - toy.starts[0][0] < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_its_verdict(tmp_path: Path, number: signal.Signals) -> None:
    """A run without a time limit is drained and judged when it is told to end."""
    with toy_app(fates={2: "hang"}) as toy:
        arguments = ("--workflows", "2", "--drain-timeout-s", "0.2", "--summary", "summary.json")
        with subprocess.Popen(
            command(toy.url, "--headless", *arguments),
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            until(lambda: len(toy.starts) == 2, "both have started")
            process.send_signal(number)
            assert process.wait(20) == 1
    summary = read_summary(tmp_path)
    assert (summary["finished"], summary["stuck"]) == (1, 1)


def test_bad_options_are_all_named_and_nothing_runs(tmp_path: Path) -> None:
    """Exit 2 and one plain line for each bad option, before anything is started."""
    done = locust("http://192.0.2.7:8999", *("--workflows", "0", "--start-rate", "x"), cwd=tmp_path)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("loadgen: ")]
    flags = ["--host", "--fake-llm-url", "--budget-url", "--workflows", "--start-rate"]
    assert [line.split()[1] for line in lines] == flags
    assert "192.0.2.7 is not this machine; add --allow-remote" in lines[0]


def test_a_signal_in_the_drain_does_not_cost_the_verdict(tmp_path: Path) -> None:
    """A run that is already ending is judged all the same, by its own exit code."""
    with toy_app(fates={1: "hang"}) as toy:
        arguments = ("--workflows", "1", "-t", "1s", "--drain-timeout-s", "3")
        with subprocess.Popen(
            command(toy.url, "--headless", *arguments, "--summary", "summary.json"),
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert any("limit reached" in line for line in process.stderr), "the time is over"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
    assert process.returncode == 1
    assert read_summary(tmp_path)["stuck"] == 1


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """Exit 2 before anything is started: a run without its record is no run."""
    with toy_app() as toy:
        done = locust(toy.url, "--timeline", "missing/timeline.ndjson", cwd=tmp_path)
    assert done.returncode == 2
    assert "missing/timeline.ndjson can't be written: No such file or directory" in done.stderr
    assert toy.starts == []


def test_an_app_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    """Exit 2 when there is nothing to put a load on."""
    port = free_port()
    done = locust(f"http://127.0.0.1:{port}", cwd=tmp_path)
    assert done.returncode == 2
    assert f"loadgen: --host http://127.0.0.1:{port}: no workflow app answers there" in done.stderr


def test_a_distributed_run_starts_each_workflow_once(tmp_path: Path) -> None:
    """Two Locust workers share the starts; the master alone watches and judges."""
    port = str(free_port())
    with toy_app() as toy:
        done = locust(
            toy.url,
            *("--workflows", "5", "--start-rate", "10", "-u", "2", "--processes", "2"),
            *("--master-bind-port", port, "--master-port", port, "--summary", "summary.json"),
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    numbers = sorted(int(body["id"].rpartition("-")[2]) for _, body in toy.starts)
    assert numbers == [1, 2, 3, 4, 5]
    assert read_summary(tmp_path)["finished"] == 5


def test_the_bare_command_serves_a_page_that_starts_runs() -> None:
    """At the project's root the page listens on loopback alone, and each run has its own ids."""
    port = free_port()
    with toy_app() as toy:
        bare = [sys.executable, "-m", "locust", "-f", "loadgen/locustfile.py"]
        options = ("--web-port", str(port), "--run-id", "ui")
        with subprocess.Popen(
            [*bare, *options],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                _two_runs(toy, f"http://127.0.0.1:{port}")
                with socket.socket() as other, pytest.raises(ConnectionRefusedError):
                    other.connect(("127.0.0.2", port))
            finally:
                process.terminate()
            assert process.wait(20) == 0
    prefixes = [body["id"].rpartition("-")[0] for _, body in toy.starts]
    assert prefixes == ["ui"] * 2 + ["ui-2"] * 2


def _two_runs(toy: ToyApp, page: str) -> None:
    until(lambda: _answers(page), "the page answers")
    form = {"user_count": "1", "spawn_rate": "1", "host": toy.url, "workflows": "2"}
    for starts in (2, 4):
        assert httpx.post(f"{page}/swarm", data=form).json()["success"]
        until(lambda count=starts: len(toy.starts) == count, f"{starts} starts")  # type: ignore[misc]
        until(lambda: _state(page) == "stopped", "the run has ended by itself")


def _answers(page: str) -> bool:
    try:
        return httpx.get(page).is_success
    except httpx.TransportError:
        return False


def _state(page: str) -> str:
    return str(httpx.get(f"{page}/stats/requests").json()["state"])
