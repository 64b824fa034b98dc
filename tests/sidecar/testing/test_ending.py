"""However a test process ends, its sidecar ends with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.services import ROOT

PROGRAM = """
import time
from sidecar.testing import running_sidecar
with running_sidecar() as dapr:
    print(dapr.grpc_port, dapr.log_path.parent, flush=True)
    {then}
"""
HOST = "sidecar.testing.host"
SLEEP = "time.sleep(60)"
# A forked child of the test holds the pipe to the host open.
FORK = "import os; os.fork() or (time.sleep(8), os._exit(0)); time.sleep(60)"


def _started(then: str) -> tuple["subprocess.Popen[str]", str, list[psutil.Process]]:
    test = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(then=then)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert test.stdout is not None
    directory = test.stdout.readline().split()[1]
    family = psutil.Process(test.pid).children(recursive=True)
    return test, directory, [each for each in family if HOST in " ".join(each.cmdline())]


@pytest.mark.parametrize("then", [SLEEP, FORK])
def test_nothing_outlives_a_test_that_is_killed(then: str) -> None:
    """SIGKILL gives it no chance to close anything."""
    test, directory, family = _started(then)
    test.kill()
    test.wait()
    for pipe in (test.stdout, test.stderr):
        assert pipe is not None
        pipe.close()
    assert len(family) == 3
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert not Path(directory).exists()


def test_ctrl_c_closes_the_block() -> None:
    """The test alone gets the signal, and cleans up."""
    test, directory, family = _started(SLEEP)
    os.kill(test.pid, signal.SIGINT)
    _, errors = test.communicate(timeout=10)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert [each for each in family if each.is_running()] == []
    assert not Path(directory).exists()


def test_the_sidecar_says_nothing_and_imports_little_in_the_test() -> None:
    """Logging stays the user's own, and the import is cheap: no gRPC, no aiohttp, no structlog."""
    program = (
        "import sys, logging; from sidecar.testing import running_sidecar\n"
        "heavy = {'grpc', 'aiohttp', 'structlog', 'pydantic', 'redis', 'asyncio', 'dapr'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "with running_sidecar() as dapr: dapr.restart()\n"
        "print(logging.getLogger().handlers)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n[]\n", "")


def test_many_at_once_do_not_meet() -> None:
    """As with `pytest -n`: each has ports of its own."""
    tests = [_started("time.sleep(0.1)") for _ in range(3)]
    assert len({directory for _, directory, _ in tests}) == 3
    deadline = time.monotonic() + 20
    for test, _, _ in tests:
        _, errors = test.communicate(timeout=deadline - time.monotonic())
        assert (test.returncode, errors) == (0, "")
