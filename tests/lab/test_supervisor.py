import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from lab.errors import NoStackError
from lab.stack_client import require_stack, take_down
from lab.state_file import StackState, is_locked, read_state
from tests.support.services import ROOT

GONE_WITHIN_S = 5.0


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Poll a condition; return whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def toy_supervisor(directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.toy_stack", str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def wait_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def state_of(directory: Path) -> StackState:
    state = read_state(directory)
    assert state is not None
    return state


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return every descendant, the guardian and grandchildren included."""
    return psutil.Process(process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def guardians(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    for member in family(process):
        with suppress(psutil.NoSuchProcess):
            if "lab.guardian" in member.cmdline():
                found.append(member)
    return found


def _none_alive(processes: dict[int, psutil.Process]) -> bool:
    return not alive(list(processes.values()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    """However the supervisor ends, within five seconds none of its processes is left."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        members = family(process)
        # Three services, a grandchild and the guardian.
        assert len(members) == 5
        process.send_signal(number)
        assert wait_until(lambda: not alive(members), GONE_WITHIN_S), alive(members)


def test_killed_at_any_moment_of_the_start_nothing_is_left(tmp_path: Path) -> None:
    """SIGKILL while services are being started leaves nothing, whatever was just spawned."""
    for n, delay_s in enumerate((0.6, 1.0, 1.4)):
        with toy_supervisor(tmp_path / str(n)) as process:
            seen: dict[int, psutil.Process] = {}
            deadline = time.monotonic() + delay_s
            while time.monotonic() < deadline:
                seen |= {p.pid: p for p in family(process)}
            process.kill()
            process.wait()
            assert wait_until(partial(_none_alive, seen), GONE_WITHIN_S)


def test_a_dead_service_ends_the_stack_and_is_named(tmp_path: Path) -> None:
    """When a service is killed the supervisor ends everything and says which one it was."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        members = family(process)
        victim = next(s for s in state_of(tmp_path).services if s.name == "budget_redis")
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=10)
        assert "budget_redis ended by itself (signal 9)" in errors
        assert "Ready to accept connections" in errors
        assert process.returncode != 0
        with pytest.raises(NoStackError, match="ended by itself: budget_redis"):
            require_stack(tmp_path)
        assert wait_until(lambda: not alive(members), GONE_WITHIN_S)


def test_a_killed_guardian_is_replaced(tmp_path: Path) -> None:
    """The stack is guarded again after its guardian was killed."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        (guardian,) = guardians(process)
        guardian.kill()

        def replaced() -> bool:
            return any(p.pid != guardian.pid for p in guardians(process))

        assert wait_until(replaced, 5)
        members = family(process)
        process.kill()
        assert wait_until(lambda: not alive(members), GONE_WITHIN_S)


def test_a_second_stack_is_refused_with_what_runs(tmp_path: Path) -> None:
    """While a stack runs another one is refused, and told pids, addresses and the way out."""
    with toy_supervisor(tmp_path) as first:
        wait_ready(first)
        with toy_supervisor(tmp_path) as second:
            _, errors = second.communicate(timeout=20)
        state = state_of(tmp_path)
        assert f"supervisor pid {first.pid}" in errors
        assert all(f"pid {service.pid}" in errors for service in state.services)
        assert "runaway down" in errors
        assert first.poll() is None


def test_down_ends_a_running_stack_and_is_idempotent(tmp_path: Path) -> None:
    """`down` ends what runs; a second one finds nothing and is no error."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        members = family(process)
        assert take_down(tmp_path).stopped
        assert not alive(members)
        again = take_down(tmp_path)
        assert (again.stopped, again.leftovers) == (False, ())


def test_down_clears_what_a_crash_of_everything_left(tmp_path: Path) -> None:
    """With supervisor and guardian both killed, `down` ends the services that are left."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        services = [psutil.Process(pid) for pid in state_of(tmp_path).leaders()]
        members = family(process)
        (guardian,) = guardians(process)
        psutil.Process(process.pid).suspend()
        guardian.kill()
        process.kill()
        process.wait()
        assert not is_locked(tmp_path)
        assert len(alive(services)) == 3
        report = take_down(tmp_path)
        assert not report.stopped
        assert set(report.leftovers) == {p.pid for p in services}
        assert wait_until(lambda: not alive(members), GONE_WITHIN_S)


def test_down_never_kills_a_process_that_got_a_recorded_pid(tmp_path: Path) -> None:
    """A pid whose start time differs from the recorded one belongs to somebody else."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        state = state_of(tmp_path)
        stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        try:
            assert take_down(tmp_path).stopped
            forged = state.services[0].model_copy(update={"pid": stranger.pid})
            stale = state.model_copy(update={"services": (forged,)})
            (tmp_path / "state.json").write_text(stale.model_dump_json())
            assert take_down(tmp_path).leftovers == ()
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


def test_the_control_api_says_what_runs_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """`GET /state` names services, runtime and TTL; an unknown kind of disruption is a 422."""
    with toy_supervisor(tmp_path) as process:
        wait_ready(process)
        url = state_of(tmp_path).config.url("control")
        state = httpx.get(f"{url}/state", trust_env=False).json()
        assert [s["state"] for s in state["services"]] == ["running"] * 3
        assert state["runtime"] == "toy (profile 1.16.1)"
        assert state["ttl_s"] == 5
        answer = httpx.post(f"{url}/disrupt", json={"kind": "meteor"}, trust_env=False)
        assert answer.status_code == 422
        assert "sidecar-kill" in answer.json()["error"]["message"]
