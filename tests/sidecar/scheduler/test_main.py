"""How the process starts, refuses to start, and ends."""

import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.sidecar.scheduler.harness import Scheduler, Watcher, environment, scheduler
from tests.support.services import running


def refused(directory: Path, env: dict[str, str]) -> str:
    """Start a scheduler that can't run; return its one line."""
    directory.mkdir(exist_ok=True)
    with running("refused", [sys.executable, "-m", "sidecar.scheduler"], directory, env) as service:
        assert service.process.wait(20) == 2
        lines = [each for each in service.log.read_text().splitlines() if not each.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith("sidecar.scheduler: ")
    return lines[0].removeprefix("sidecar.scheduler: ")


@pytest.mark.parametrize("setting", ["SCHEDULER_PORT", "SCHEDULER_HTTP_PORT"])
def test_a_taken_port(tmp_path: Path, setting: str) -> None:
    """The line names the setting and the port."""
    env = environment(tmp_path)
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", int(env[setting])))
        occupant.listen()
        line = refused(tmp_path, env)
    assert line.startswith(f"{setting}={env[setting]}: can't listen on 127.0.0.1:{env[setting]}")


def test_one_port_for_both(tmp_path: Path) -> None:
    """The line names one of the two settings that want it."""
    env = environment(tmp_path)
    line = refused(tmp_path, env | {"SCHEDULER_HTTP_PORT": env["SCHEDULER_PORT"]})
    assert line.startswith(f"SCHEDULER_PORT={env['SCHEDULER_PORT']}: can't listen on")


def test_two_schedulers_on_one_port(tmp_path: Path, old: Scheduler) -> None:
    """A second scheduler on the port of a running one does not share it silently."""
    env = environment(tmp_path) | {"SCHEDULER_PORT": old.address.rpartition(":")[2]}
    assert refused(tmp_path, env).startswith(f"SCHEDULER_PORT={env['SCHEDULER_PORT']}: ")


def test_bad_settings_are_all_named(tmp_path: Path) -> None:
    """One line names every setting that is wrong, and what would be right."""
    env = environment(tmp_path, "1.17.0") | {"SCHEDULER_PORT": "0"}
    del env["SCHEDULER_DATA_DIR"]
    line = refused(tmp_path, env)
    assert "SCHEDULER_DATA_DIR: Field required" in line
    assert "SCHEDULER_PORT=0: " in line
    assert (
        "no profile '1.17.0'; the known ones are 1.15, 1.16.0, 1.16.1, 1.16.2, 1.17, 1.18.3" in line
    )


def test_a_missing_data_directory(tmp_path: Path) -> None:
    """The line names the setting and the directory."""
    missing = tmp_path / "nowhere"
    line = refused(tmp_path, environment(missing))
    assert line == f"SCHEDULER_DATA_DIR: {missing} is not a directory; create it first"


def test_a_data_directory_without_a_database(tmp_path: Path) -> None:
    """Where no database can be opened the line says so (a directory is in its place)."""
    (tmp_path / "jobs.sqlite3").mkdir()
    line = refused(tmp_path, environment(tmp_path))
    assert line.startswith(f"SCHEDULER_DATA_DIR: no jobs can be kept in {tmp_path}: ")


def test_a_damaged_database(tmp_path: Path) -> None:
    """A file that is no database is refused in one line, and left as it is."""
    (tmp_path / "jobs.sqlite3").write_bytes(b"not a database" * 100)
    line = refused(tmp_path, environment(tmp_path))
    assert line.startswith(f"SCHEDULER_DATA_DIR: no jobs can be kept in {tmp_path}: ")


def test_sigterm_ends_streams_and_process(tmp_path: Path) -> None:
    """SIGTERM ends the process with 0 in a few seconds, although a job is out on a stream."""
    with scheduler(tmp_path) as running_one, Watcher(running_one) as sidecar:
        running_one.schedule("out")
        sidecar.next()
        start = time.monotonic()
        running_one.service.process.terminate()
        assert running_one.service.process.wait(10) == 0
        assert time.monotonic() - start < 5
        assert sidecar.ended.wait(5)


def test_the_number_of_jobs_is_bounded(tmp_path: Path) -> None:
    """Beyond SCHEDULER_MAX_JOBS a job is refused; replacing one that is there is not."""
    with scheduler(tmp_path, SCHEDULER_MAX_JOBS="2") as small:
        small.schedule("a", "240h")
        small.schedule("b", "240h")
        small.schedule("b", "241h")
        with pytest.raises(Exception, match="SCHEDULER_MAX_JOBS"):
            small.schedule("c", "240h")
        small.delete("a")
        small.schedule("c", "240h")


def test_health_and_jobs_for_people(old: Scheduler) -> None:
    """`/healthz` names the profile; `/admin/jobs` shows jobs with their clocks, bounded."""
    kind = "dapr.internal.default.admin.activity"
    for each in ("a", "b", "c"):
        old.schedule(each, "9999-12-31T23:59:59.999999999Z", actor_type=kind, data=b"12345")
    assert httpx.get(f"{old.http}/healthz").json() == {"status": "ok", "profile": "1.16.1"}
    prefix = f"actorreminder||default||{kind}"
    shown = httpx.get(f"{old.http}/admin/jobs", params={"prefix": prefix, "limit": 2}).json()
    assert (shown["total"], len(shown["jobs"])) == (3, 2)
    assert shown["jobs"][0] == {
        "key": f"{prefix}||a||run-activity",
        "state": "waiting",
        "due": "9999-12-31T23:59:59+00:00",
        "next": "9999-12-31T23:59:59+00:00",
        "failed_deliveries": 0,
        "data_type": "",
        "data_bytes": 5,
    }


@pytest.mark.parametrize("limit", ["0", "x", "-1", "10001", "9" * 5000])
def test_a_bad_limit(old: Scheduler, limit: str) -> None:
    """A limit that is none is a 400 that says what would be one."""
    answer = httpx.get(f"{old.http}/admin/jobs", params={"limit": limit})
    assert answer.status_code == 400
    assert "limit must be a number from 1 to 10000" in answer.json()["error"]["message"]
